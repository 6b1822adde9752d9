//! One receipt gets lost on purpose: the account must not come out right.

use std::collections::BTreeMap;

use sync_core::WriteId;

use crate::returned::{Planted, kind};
use crate::run::{caught, parallel, run_world};
use crate::world::World;

/// Seeds of which receipts are dropped.
const SEEDS: u64 = 150;

/// Receipts of one seed, one after the other.
const PER_SEED: usize = 2;

/// What must be among them.
const KINDS: &[&str] = &["superseded", "merged", "refused", "unknown", "summary"];

/// What came of it: what was dropped, whether that was found with a look at the disks and without.
type Found = (&'static str, bool, bool);

/// The receipts that were told of in a good run, each the only word of its write, by kind.
fn told(seed: u64) -> BTreeMap<&'static str, Vec<WriteId>> {
    let mut told: BTreeMap<_, Vec<WriteId>> = BTreeMap::new();
    let mut world = World::new(seed, false);
    let is_good = caught(|| run_world(&mut world)).is_ok();
    let receipts = Some(&world).filter(|_| is_good);
    let receipts = receipts.into_iter().flat_map(|world| {
        let counted = &world.ghost.counted;
        let receipts = world.ghost.receipts.iter();
        // What a replica has summed up itself it had told one by one.
        let matters =
            |receipt| kind(receipt) != "summary" || world.ledger.is_of_hub(&receipt.write);
        receipts.filter(move |(id, receipt)| !counted.contains_key(id) && matters(receipt))
    });
    for (id, receipt) in receipts {
        told.entry(kind(receipt)).or_default().push(id.clone());
    }
    told
}

fn is_missed(seed: u64, write: &WriteId, is_blind: bool) -> bool {
    let mut world = World::new(seed, false);
    world.planted = Some(Planted {
        write: write.clone(),
        is_blind,
        has_come: false,
    });
    caught(|| run_world(&mut world)).is_err()
}

/// Drops receipts of kinds that are rare rather than of others.
fn drop_some(seed: u64) -> Vec<Found> {
    let told = told(seed);
    let mut kinds: Vec<_> = told.iter().collect();
    kinds.sort_by_key(|(_, ids)| ids.len());
    let some = kinds.into_iter().take(PER_SEED);
    let tried = some.map(|(kind, ids)| {
        let at = usize::try_from(seed).unwrap_or_default() % ids.len();
        let found = |is_blind| is_missed(seed, &ids[at], is_blind);
        (*kind, found(false), found(true))
    });
    tried.collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "a run says what it has covered")]
fn a_receipt_that_is_dropped_on_purpose_is_missed() {
    let found: Vec<(u64, Vec<Found>)> = parallel(0..SEEDS, drop_some);
    let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for (seed, found) in &found {
        for (kind, missed, alone) in found {
            assert!(*missed, "nobody misses a receipt of seed {seed}, {kind}");
            let count = counts.entry(kind).or_default();
            *count = [count[0] + 1, count[1] + 1, count[2] + usize::from(*alone)];
        }
    }
    for (kind, [dropped, missed, alone]) in &counts {
        println!(
            "{kind}: {dropped} dropped, {missed} missed, {alone} by who has never seen a disk"
        );
    }
    for kind in KINDS {
        let count = counts.get(kind).copied().unwrap_or_default();
        assert!(count[0] > 0, "{kind:?} was never dropped");
        // Of what is told without a reason, nobody outside can say that it was due: it may have been
        // replaced knowingly before the hub lost its disk.
        let is_due = *kind != "unknown";
        assert!(
            !is_due || count[2] > 0,
            "{kind:?} was missed by nobody without a look at the disks"
        );
    }
}
