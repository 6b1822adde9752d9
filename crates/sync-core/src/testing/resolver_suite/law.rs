//! The laws, each with the sentence that a failure prints.

use std::fmt;

/// What a rule must keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Law {
    /// The value depends on the live writes alone: not on the order they came in, not on what else was
    /// ever absorbed, not on what was asked before.
    FoldsPurely,
    /// Everything else that the rule says of an entry depends on that entry alone.
    AnswersPurely,
    /// Whatever the schedule, who has heard everything reads the same.
    Converges,
    /// A key without live writes reads as absent.
    NothingReadsAsAbsent,
    /// What is shown, concurrent or unmerged is live; concurrent values are several or none, and the
    /// one shown is among them.
    ShowsWhatIsLive,
    /// Every live write is shown, waits for the hub, or has a part in the value; `hidden` counts those
    /// that wait and are not shown.
    AccountsForEveryWrite,
    /// The same entry and operation make the same plan, and asking changes nothing.
    PlansPurely,
    /// A plan leaves live only what the rule holds.
    HoldsWhatItPlans,
    /// A plan covers nothing that its writer's replica has not absorbed: it would be lost unread.
    CoversWhatWasAbsorbed,
    /// A plan covers no write that its writer was not shown: that one has to lose with a receipt, not
    /// silently.
    CoversWhatWasShown,
    /// With a write a plan covers all that that write had covered: else that would read again where it
    /// arrives late.
    CoversClosed,
    /// An operation on one element, one field or one's own contribution leaves all others alone.
    ReplacesItsPart,
    /// What a new write hides is at most as new as the plan's floor, so that even a writer whose clock
    /// is behind reads its own write.
    FloorIsHighEnough,
    /// A delete is never refused; after it the key reads as absent; where it does, there is nothing to
    /// do.
    DeletesTheKey,
    /// Losers and winners are live and different, and nobody loses twice.
    LosesLiveWrites,
    /// What loses against a winner is no winner and is not shown: no chain, no loop, and a receipt
    /// names what a reader finds.
    WinnersWin,
    /// Only an absence goes without a winner: whoever wrote a value is told why it went.
    NoValueLosesSilently,
    /// Covering the losers leaves the value as it is, and neither losers nor hidden writes; a merged
    /// value put on top of unmerged ones leaves none of them.
    ResolvingSettles,
    /// A live write ends by being replaced, merged or lost, never otherwise.
    EveryEndHasACause,
    /// The operations given write something; else the run says nothing.
    WritesSomething,
}

impl Law {
    fn sentence(self) -> &'static str {
        match self {
            Self::FoldsPurely => "a value depends on the live writes alone",
            Self::AnswersPurely => "what a rule says of an entry depends on that entry alone",
            Self::Converges => "who has heard everything reads the same",
            Self::NothingReadsAsAbsent => "a key without live writes reads as absent",
            Self::ShowsWhatIsLive => "what is shown is live",
            Self::AccountsForEveryWrite => "every live write is shown or waits, and hidden counts",
            Self::PlansPurely => "planning changes nothing and can be repeated",
            Self::HoldsWhatItPlans => "a plan's payload is held by its rule",
            Self::CoversWhatWasAbsorbed => "a plan covers only what was absorbed",
            Self::CoversWhatWasShown => "a plan covers only what was shown",
            Self::CoversClosed => "with a write a plan covers what that had covered",
            Self::ReplacesItsPart => "an operation on a part leaves the other parts alone",
            Self::FloorIsHighEnough => "a floor lifts a new write above what it hides",
            Self::DeletesTheKey => "a delete leaves the key reading as absent",
            Self::LosesLiveWrites => "losers and winners are live, and nobody loses twice",
            Self::WinnersWin => "what wins or is shown does not lose",
            Self::NoValueLosesSilently => "only an absence goes without a winner",
            Self::ResolvingSettles => "resolving settles and leaves the value as it is",
            Self::EveryEndHasACause => "a live write ends by being replaced, merged or lost",
            Self::WritesSomething => "the operations given write something",
        }
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}
