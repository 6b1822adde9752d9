//! Bugs that are planted on purpose, to see whether the simulation finds each of them.
//!
//! Not for use: without the feature `__planted`, which no build without debug assertions takes, [`is`] is a
//! constant and the lines that ask it come to nothing. With it, a thread runs with the one bug it has
//! chosen. `cargo xtask mutants` does that, for all of them.

#[cfg(all(feature = "__planted", not(debug_assertions)))]
compile_error!(
    "the feature `__planted` holds bugs that are planted on purpose: leave it out, or build with debug assertions as \
     `cargo xtask mutants` does"
);

#[cfg(feature = "__planted")]
use std::cell::Cell;

macro_rules! bugs {
    ($($(#[doc = $text:literal])+ $name:ident breaks $what:literal,)+) => {
        /// What can be planted: mistakes that others have made, and what this design keeps from happening.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Planted {
            $($(#[doc = $text])+ $name,)+
        }

        impl Planted {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name, as it is written here.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// The invariants that it breaks, by their names in `docs/protocol.md`.
            pub const fn breaks(self) -> &'static str {
                match self {
                    $(Self::$name => $what,)+
                }
            }
        }
    };
}

bugs! {
    /// A counter adds to the totals of all, and not to its own.
    CounterAddsTotals breaks "I14",
    /// A delete of a counter does not say how much it has removed.
    DeleteWithoutAmounts breaks "I14",
    /// A register write covers siblings that its writer was never shown.
    CoversTheUnseen breaks "I14",
    /// A write is stamped with what its clock says, be that earlier than what it replaces.
    StampByTheWall breaks "I5",
    /// Of two writes with the same stamp each replica keeps the one it has.
    TieKeepsMine breaks "I10 I14",
    /// What was covered comes back when somebody brings it again.
    JoinRevives breaks "I10 I14",
    /// A join that changes nothing is taken for one that does.
    NoopJoinCounts breaks "I3",
    /// The digest keeps what a join has taken away.
    DigestKeepsTheDead breaks "L1",
    /// A delta goes out with the whole context of its key: it deletes what else there is.
    DeltaWithWholeContext breaks "I6 L1",
    /// A delta goes out without what its write supersedes.
    DeltaWithoutCovers breaks "I6 L1",
    /// What changed after a revision begins one too late.
    DeltaSkipsTheFirst breaks "I6 L1",
    /// What changed after a revision is told by each key's own version.
    SinceByVersion breaks "I6 L1",
    /// A position above the head is answered as if there were nothing new.
    AboveHeadIsNothing breaks "I6",
    /// A cursor counts as valid though it was paged against a head that is lost.
    LostHeadIsBelieved breaks "I6 I3",
    /// The first of several pages moves the cursor to the end.
    PageMovesCursorToHead breaks "I6",
    /// An update is applied though the one before it has not arrived.
    UpdateJumpsAGap breaks "I6",
    /// An update that comes late takes the cursor back.
    LateUpdateCounts breaks "I2 I5",
    /// The cursor is durable before what it stands for.
    CursorBeforeState breaks "I8",
    /// A replica whose hub does not know its cursor wipes what it holds before it has anything else.
    ResetWipes breaks "I14",
    /// A replica that has once exchanged everything with its hub writes nothing any more.
    DeafOnceReset breaks "L2",
    /// A key without a value is forgotten at once, by each node for itself.
    TombstonesForgotten breaks "I14 L1",
    /// A commit leaves its keys at the versions that they had.
    VersionStays breaks "I3",
    /// What is said waits for no disk.
    AckBeforeDurable breaks "I1 I8",
    /// A write that is to survive the loss of its agent is confirmed before the hub has it.
    HubLevelBeforeHub breaks "I1",
    /// What a crash has left of half a batch is served as if it were all of it.
    TornBatchServed breaks "I1 I8",
    /// What waits for the hub is gone with the process.
    OutboxForgotten breaks "I1 I14",
    /// An agent that has lost its disk gives its writes the numbers of lost ones.
    WriteIdsReused breaks "I14 I4",
    /// A hub that starts goes on under the name of its last run.
    EpochKept breaks "I3",
    /// A stamp is taken however far it is ahead of the clock: it wins for ever.
    FutureStampTaken breaks "I10",
    /// Stamps begin anew with each process, whatever the clock says then.
    HighWaterForgotten breaks "I5",
    /// The hub takes one number more for pushed than was.
    PushCountsOneMore breaks "I14",
    /// A question that got lost is not asked again: whoever was cut off stays so.
    NeverAsksAgain breaks "L1",
    /// One receipt gets lost between the decision and its disk.
    ReceiptDropped breaks "I14",
    /// Receipts die with the process that owes them.
    ReceiptsDieWithHub breaks "I14",
    /// A receipt is forgotten once it was sent, whether or not it arrives.
    ReceiptsSentOnce breaks "I14",
    /// Whose value a function has merged is told nothing.
    MergedUntold breaks "I14",
    /// History leaves out what has lost.
    HistoryWithoutLosers breaks "I15",
    /// A watcher that comes back misses the first change.
    WatchSkipsAChange breaks "I6",
    /// A value's time begins when its writer says that it wrote, by another clock than the one that ends it.
    LifetimeByStamp breaks "I14",
    /// An answer counts for whichever round is the latest.
    AnswerOfAnotherRound breaks "I7",
    /// The first piece of an answer counts for all of it.
    PieceCountsForAll breaks "I7",
    /// A round waits for ever for who does not answer.
    RoundNeverEnds breaks "L3",
    /// What was not answered is asked again at once, and again.
    AsksWithoutPause breaks "L4",
    /// What is votes enough of those who have voted decides, however few that are.
    DecidesWithoutMajority breaks "I9",
    /// A vote is sent that its agent may give anew after a crash.
    VoteNotKept breaks "I9",
    /// A vote is confirmed that the hub forgets in a crash.
    VoteForgotten breaks "I9 I1",
    /// A commit is made whatever was expected.
    ExpectationIgnored breaks "I14",
    /// An attempt that comes again is decided again.
    DecidedAgain breaks "I14",
    /// Plain writes are taken for a key that is decided by compare-and-set.
    PlainWriteOnDecided breaks "I14",
    /// A claim ends when half its lease is over.
    ClaimEndsEarly breaks "I9",
    /// A claim is granted while another one's lease lasts.
    ClaimGrantedTwice breaks "I9",
    /// Any token will do.
    TokenNotChecked breaks "I9",
    /// A replica keeps its rows under the name of another swarm.
    RowsOfAnotherSwarm breaks "I11",
    /// As many receipts wait for an agent as there are.
    ReceiptsWithoutBound breaks "I12",
    /// As many functions are at work at once as there are keys to merge.
    MergesWithoutBound breaks "I12",
    /// An update that comes twice is taken for a state that cannot be.
    RepeatPanics breaks "I13",
    /// An update that comes twice is taken for a broken protocol, and ends its connection.
    RepeatDisconnects breaks "I13",
    /// The digest depends on the order in which its parts have come.
    DigestByOrder breaks "I3 L1",
    /// Who deleted a key is forgotten once there are a few such keys, whoever has not heard of it.
    TombstonesByCount breaks "I14 L1",
}

#[cfg(feature = "__planted")]
thread_local! {
    static CHOSEN: Cell<Option<Planted>> = const { Cell::new(None) };
}

/// Whether this bug is the one of this thread.
#[cfg(feature = "__planted")]
pub fn is(bug: Planted) -> bool {
    CHOSEN.get() == Some(bug)
}

/// Whether this bug is the one of this thread: never, in what ships.
#[cfg(not(feature = "__planted"))]
#[inline]
pub const fn is(_: Planted) -> bool {
    false
}

/// Runs with a bug, or with none, in this thread.
#[cfg(feature = "__planted")]
pub fn with<T>(bug: Option<Planted>, run: impl FnOnce() -> T) -> T {
    /// Whatever ends the run, what comes after it is without the bug.
    struct Before(Option<Planted>);
    impl Drop for Before {
        fn drop(&mut self) {
            CHOSEN.set(self.0);
        }
    }
    let _before = Before(CHOSEN.replace(bug));
    run()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn nothing_is_planted_unless_somebody_chooses_it() {
        assert!(Planted::ALL.iter().all(|bug| !is(*bug)));
    }

    #[test]
    fn every_bug_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = Planted::ALL.iter().map(|bug| bug.name()).collect();
        assert_eq!(names.len(), Planted::ALL.len());
    }

    #[cfg(feature = "__planted")]
    #[test]
    fn a_bug_is_there_while_its_run_lasts_and_in_its_thread() {
        let bug = Planted::ALL[0];
        let panics = || with(Some(bug), || -> () { panic!("{}", is(bug)) });
        let elsewhere = || std::thread::scope(|s| s.spawn(|| is(bug)).join());
        assert!(with(Some(bug), || is(bug) && !is(Planted::ALL[1])));
        assert!(!with(Some(bug), || with(None, || is(bug))));
        assert!(!with(Some(bug), elsewhere).unwrap());
        assert!(std::panic::catch_unwind(panics).is_err());
        assert!(!is(bug));
    }
}
