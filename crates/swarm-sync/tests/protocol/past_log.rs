//! How a hub's log of commits stands in its store: in rows that commits share, of which goes what nobody
//! is told any more.

use bytes::Bytes;
use sync_core::{Ask, Dropped, DroppedBy, PastAsk, RequestError, Revision, RowOp, Version};

use crate::looking_back::{diff, history, is, set, versions};
use crate::stage::{HubSide, hub_config, key, policy, put};

/// What the rows of the log begin with.
const LOG: u8 = b'}';

fn log(hub: &HubSide) -> Vec<(Bytes, Bytes)> {
    let rows = hub.disk.rows().filter(|row| row.key[0] == LOG);
    rows.map(|row| (row.key, row.value)).collect()
}

fn log_bytes(hub: &HubSide) -> usize {
    log(hub).iter().map(|(_, value)| value.len()).sum()
}

/// Writes whose batches are not durable yet.
fn begin(hub: &mut HubSide, name: &str, value: i64) {
    let ask = Ask::Write {
        key: key(name),
        operation: put(value),
        metadata: None,
    };
    hub.hub.handle_ask(hub.now(), value.unsigned_abs(), ask);
    hub.drain();
}

/// A hub that remembers little, so that there is soon something to leave out.
fn forgetful(history_commits: u32, journal_max: u64) -> HubSide {
    let mut config = hub_config();
    config.limits.history_commits = history_commits;
    config.limits.journal_max = journal_max;
    HubSide::with(config)
}

#[test]
fn commits_that_share_a_flush_share_a_row() {
    let mut hub = HubSide::new();
    set(&mut hub, "first", put(0));
    for n in 1..=10 {
        begin(&mut hub, &format!("k{n}"), n);
    }
    let of_log = |op: &&RowOp| op.key()[0] == LOG;
    let rows = |batch: &sync_core::Batch| -> Vec<Bytes> {
        let ops = batch.ops.iter().filter(of_log);
        ops.map(|op| op.key().clone()).collect()
    };
    let rows: Vec<_> = hub.disk.waiting().map(rows).collect();
    assert_eq!(rows.len(), 10);
    assert!(rows.iter().all(|row| row.len() == 1 && *row == rows[0]));
    hub.settle();
    assert_eq!(log(&hub).len(), 1);
    for n in 11..=100 {
        set(&mut hub, &format!("k{n}"), put(n));
    }
    assert_eq!(log(&hub).len(), 7, "of sixteen commits each");
    for n in 1..=100 {
        let told = history(&mut hub, &format!("k{n}"));
        assert_eq!(told.commits[0].value, is(n), "{n}");
    }
}

#[test]
fn a_restart_in_the_middle_of_a_row_breaks_no_history() {
    let mut hub = HubSide::new();
    for n in 1..=12 {
        set(&mut hub, "k", put(n));
        set(&mut hub, &format!("other-{n}"), put(n));
        if n % 3 == 0 {
            hub.restart();
        }
    }
    let told = history(&mut hub, "k");
    assert_eq!(versions(&told), (1..=12).rev().collect::<Vec<_>>());
    assert_eq!(told.dropped, None);
    let all = diff(&mut hub, 0, 24);
    assert_eq!((all.changes.len(), all.kept_after), (13, None));
}

#[test]
fn what_a_crash_has_lost_is_not_told() {
    let mut hub = HubSide::new();
    for n in 1..=4 {
        set(&mut hub, "k", put(n));
    }
    begin(&mut hub, "k", 5);
    begin(&mut hub, "k", 6);
    let futures = hub.disk.futures();
    for (lost, image) in futures.into_iter().rev().enumerate() {
        let kept = 6 - i64::try_from(lost).expect("a few");
        let upto = kept.unsigned_abs();
        hub.disk.restore(image);
        hub.restart();
        let told = history(&mut hub, "k");
        assert_eq!(versions(&told), (1..=upto).rev().collect::<Vec<_>>());
        assert_eq!(diff(&mut hub, 0, upto).changes[0].became, Some(is(kept)));
        set(&mut hub, "k", put("other"));
        let told = history(&mut hub, "k");
        assert_eq!(versions(&told), (1..=upto + 1).rev().collect::<Vec<_>>());
        assert_eq!(told.commits[0].value, is("other"));
    }
}

#[test]
fn a_quiet_key_is_remembered_while_others_change_and_the_log_stays_small() {
    let mut hub = forgetful(4, 50);
    for n in 1..=6 {
        set(&mut hub, "quiet", put(n));
    }
    let mut most = 0;
    for n in 0..3_000 {
        set(&mut hub, &format!("busy-{}", n % 10), put(n));
        most = most.max(log_bytes(&hub));
        if n % 700 == 0 {
            hub.restart();
        }
    }
    let told = history(&mut hub, "quiet");
    assert_eq!(versions(&told), [6, 5, 4, 3]);
    let (upto, why) = (Version::new(2), DroppedBy::Count { commits: 4 });
    assert_eq!(told.dropped, Some(Dropped { upto, why }));
    assert_eq!(versions(&history(&mut hub, "busy-3")), [300, 299, 298, 297]);
    let late = diff(&mut hub, 0, 3_006);
    assert_eq!(late.kept_after, Some(Revision::new(2_956)));
    assert_eq!(late.changes.len(), 10);
    // 50 commits that are named, 44 that are told, and what was not looked at yet.
    assert!(most < 100_000, "{most} bytes");
}

#[test]
fn a_bound_that_is_lowered_empties_the_log_and_one_that_is_raised_says_what_is_gone() {
    let mut hub = forgetful(16, 10);
    for n in 1..=10 {
        for name in ["a", "b", "c"] {
            set(&mut hub, name, put(n));
        }
    }
    let bound = |commits| vec![policy("*", |p| p.history.commits = Some(commits))];
    let full = log_bytes(&hub);
    hub.govern(bound(2));
    assert_eq!(log_bytes(&hub), full, "no policy writes by itself");
    for n in 0..400 {
        set(&mut hub, "d", put(n));
    }
    for name in ["a", "b", "c"] {
        assert_eq!(versions(&history(&mut hub, name)), [10, 9]);
    }
    hub.govern(bound(100));
    let told = history(&mut hub, "a");
    assert_eq!(versions(&told), [10, 9]);
    let (upto, why) = (Version::new(8), DroppedBy::Unrecorded);
    assert_eq!(told.dropped, Some(Dropped { upto, why }));
    // Another bound of the journal does not bring back what is gone.
    hub.config.limits.journal_max = 1_000;
    hub.restart();
    let all = diff(&mut hub, 0, 430);
    let kept = all.kept_after.expect("not all of it is kept");
    assert!(kept >= Revision::new(30), "{kept:?}");
    let d = all
        .changes
        .iter()
        .find(|diff| diff.key == key("d"))
        .unwrap();
    assert_eq!(u64::from(d.commits), 430 - kept.get());
}

/// A row that is read to be thinned may have been filled before that is known.
#[test]
fn a_row_is_not_written_as_it_was_before_it_was_full() {
    let mut hub = forgetful(1, 5);
    for n in 0..1_000 {
        begin(&mut hub, &format!("k{}", n % 7), n);
        // The disk is late by some commits, and reads by more.
        if n % 5 == 0
            && let Some(token) = hub.disk.complete()
        {
            hub.hub.handle_persisted(hub.now(), token, Ok(()));
            hub.drain();
        }
        if n % 40 == 0 {
            hub.settle();
        }
        if n % 40 == 17 && !hub.loads.is_empty() {
            let (ticket, ranges) = hub.loads.remove(0);
            let rows = hub.disk.read(&ranges);
            hub.hub.handle_loaded(hub.now(), ticket, Ok(rows));
            hub.drain();
        }
    }
    hub.settle();
    for n in 993..1_000 {
        let told = history(&mut hub, &format!("k{}", n % 7));
        assert_eq!(told.commits[0].value, is(n));
    }
    let last = diff(&mut hub, 995, 1_000);
    assert_eq!((last.changes.len(), last.kept_after), (5, None));
}

#[test]
fn a_commit_of_many_keys_fills_rows_of_its_own_and_each_key_finds_its_own() {
    let mut hub = HubSide::new();
    for n in 0..200 {
        set(&mut hub, &format!("key-{n:03}"), put(n));
    }
    hub.ask(Ask::Clear(None)).unwrap().unwrap();
    set(&mut hub, "key-000", put("again"));
    let longest = log(&hub).iter().map(|(_, value)| value.len()).max();
    assert!(longest < Some(4_096), "{longest:?}");
    for n in 0..200 {
        let told = history(&mut hub, &format!("key-{n:03}"));
        let expected: &[u64] = if n == 0 { &[3, 2, 1] } else { &[2, 1] };
        assert_eq!(versions(&told), expected, "{n}");
        assert_eq!(told.dropped, None);
    }
    let nobody = history(&mut hub, "key-0000");
    assert!(nobody.commits.is_empty());
    let told = diff(&mut hub, 200, 201);
    let first = &told.changes[0];
    assert_eq!(first.was, Some(is(0)));
    assert_eq!(first.became, Some(sync_core::PastValue::default()));
}

#[test]
fn a_damaged_row_stops_the_hub_with_a_sentence() {
    let mut hub = HubSide::new();
    set(&mut hub, "k", put(1));
    let whole = hub.disk.image();
    let (row, value) = log(&hub).remove(0);
    for at in 0..value.len() {
        let mut image = whole.clone();
        image.insert(row.clone(), value.slice(..at));
        hub.disk.restore(image);
        hub.restart();
        let (key, upto, limit) = (key("k"), None, 9);
        let ask = Ask::Past(PastAsk::History { key, upto, limit });
        let answer = hub.ask(ask).expect("nobody waits for ever");
        if at == 0 {
            // A row without commits is none that has the one sought.
            assert!(answer.is_ok(), "{answer:?}");
            continue;
        }
        let Err(RequestError::Stopped { reason }) = answer else {
            panic!("{at} bytes: {answer:?}")
        };
        assert!(reason.contains("the stored row }"), "{reason}");
        assert!(reason.contains("cannot be read"), "{reason}");
    }
}

#[test]
fn rows_of_an_earlier_format_are_not_read_and_go() {
    let mut hub = HubSide::new();
    set(&mut hub, "k", put(1));
    let mut image = hub.disk.image();
    for n in 0..40_u64 {
        let number = n.to_be_bytes();
        let (journal, history) = ([&b"j"[..], &number], [&b"~\0\x01k"[..], &number]);
        image.insert(journal.concat().into(), "what it was".into());
        image.insert(history.concat().into(), "what it was".into());
    }
    hub.disk.restore(image);
    hub.restart();
    let old = |hub: &HubSide, kind| {
        let rows = hub.disk.rows();
        let old = rows.filter(|row| row.key[0] == kind && row.key.len() > 1);
        old.count()
    };
    assert_eq!(old(&hub, b'j'), 0);
    for n in 0..600 {
        set(&mut hub, "k", put(n));
    }
    assert_eq!(old(&hub, b'~'), 0);
    assert_eq!(history(&mut hub, "k").commits.len(), 16);
}
