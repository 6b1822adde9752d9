//! Rights that change while the hub runs.

use std::sync::{Arc, Mutex};

use swarm_sync::{
    Key, MemoryStore, Operation, Policies, Reloaded, Rights, StateSynchronizer, rights_file,
};
use tokio::sync::watch;

use crate::policies::merged_by;
use crate::support::{PATIENCE, Wire};

const NOBODY: &str = "";
const READS: &str = "[[right]]\nagent = \"client\"\nallow = [\"read\", \"admin\"]\n";
const WRITES: &str = "[[right]]\nagent = \"client\"\nallow = [\"write\", \"admin\"]\n";

fn rights(text: &str) -> Rights {
    rights_file::parse(text).expect("rights")
}

/// Whether the client may write by now. It is let in anew, as one whose rights change is sent away.
async fn may_write(wire: &Wire) -> bool {
    let mut client = wire.client().await;
    let key = Key::new("k").expect("a key");
    let written = client.write(key, Operation::Add(1), None).await;
    written.is_ok()
}

#[tokio::test]
async fn rights_that_were_sent_before_their_sender_was_dropped_hold() {
    let wire = Wire::memory();
    let (sender, sent) = watch::channel(Arc::new(rights(NOBODY)));
    let hub = StateSynchronizer::builder(Arc::new(MemoryStore::new()), wire.coordinator())
        .rights(sent)
        .start()
        .await
        .expect("memory opens");
    assert!(!may_write(&wire).await);
    sender.send_replace(Arc::new(rights(WRITES)));
    drop(sender);
    let granted = async {
        while !may_write(&wire).await {
            tokio::task::yield_now().await;
        }
    };
    let granted = tokio::time::timeout(PATIENCE, granted).await;
    granted.expect("it holds, although nobody is left to send more");
    hub.shutdown().await;
}

/// A source that says what it is told to.
type Said = Arc<Mutex<(Policies, &'static str)>>;

#[tokio::test]
async fn who_has_the_files_read_is_answered_before_the_rights_in_them_send_him_away() {
    let wire = Wire::memory();
    let said: Said = Arc::new(Mutex::new((Policies::default(), WRITES)));
    let read = Arc::clone(&said);
    let source = move || {
        let (policies, text) = read.lock().map_err(|e| e.to_string())?.clone();
        Ok(Reloaded::new(policies).with_rights(Some(rights(text))))
    };
    let (_sender, sent) = watch::channel(Arc::new(rights(READS)));
    let hub = StateSynchronizer::builder(Arc::new(MemoryStore::new()), wire.coordinator())
        .rights(sent)
        .policy_source(source)
        .start()
        .await
        .expect("memory opens");
    assert!(!may_write(&wire).await);
    let answer = wire.client().await.reload_policies().await;
    assert_eq!(answer.expect("it is answered"), Vec::new());
    assert!(may_write(&wire).await);
    // Policies that are refused leave the rights as they are, too.
    let unknown = Policies::new(vec![merged_by("k", "nobody-has-it")]);
    *said.lock().expect("nobody panics") = (unknown.expect("a table"), READS);
    let answer = wire.client().await.reload_policies().await;
    let refused = answer.expect_err("there is no such function");
    assert!(refused.to_string().contains("nobody-has-it"), "{refused}");
    assert!(may_write(&wire).await);
    hub.shutdown().await;
}
