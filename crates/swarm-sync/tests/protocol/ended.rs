//! Own writes whose end an agent knows, and a hub whose disk was put back to before it: they stay ended.

use std::time::Duration;

use sync_core::{Body, Operation, Reason};

use crate::hand::{deliver, say};
use crate::stage::{assert_equal, only_receipt, put, talk, trio};

/// Its receipt had come and its confirmation had not: it still waited, and came alive at a hub that had lost its
/// disk, alone, as the delete it had lost against was a fact by then. Its writer had been told that it lost.
#[test]
fn a_write_that_has_come_back_with_a_reason_stays_dead_although_it_still_waits() {
    let (mut hub, mut a, mut b) = trio();
    b.write("k", put("first"));
    talk(&mut hub, &mut [&mut a, &mut b]);
    let backup = hub.disk.image();
    a.cut(&mut hub);
    a.write("k", put("early"));
    b.mono += Duration::from_millis(5);
    b.write("k", Operation::Delete);
    talk(&mut hub, &mut [&mut b]);
    a.connect(&mut hub, 3);
    for _ in 0..4 {
        say(&mut hub, &mut a);
        deliver(&mut hub, &mut a, |body| {
            !matches!(body, Body::Committed { .. })
        });
    }
    assert!(matches!(only_receipt(&a).reason, Reason::Superseded { .. }));
    a.cut(&mut hub);
    hub.disk.restore(backup);
    hub.restart();
    a.connect(&mut hub, 4);
    talk(&mut hub, &mut [&mut a]);
    assert_eq!(hub.value("k"), None, "it is told as lost");
    assert_equal(&hub, &[&a]);
    only_receipt(&a);
}
