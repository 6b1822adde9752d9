//! Rules made wrong on purpose: each is a rule of this crate but for one flaw.

use std::sync::Mutex;

use sync_core::{
    Context, Entry, Loss, MergeRule, Operation, OperationError, Payload, PayloadKind, Plan,
    Resolver, Seq, Span, Stamp, Value, WriteId, Writer,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Whatever an operation is about, it covers all that is live.
    CoversEverything,
    /// It covers what its writer will only write next.
    CoversAhead,
    /// It covers ids without what they had covered.
    CoversBarely,
    /// It goes on showing whichever of several values it met first.
    ShowsTheFirstMet,
    /// It shows another value once more has been replaced than is left.
    ReadsTheContext,
    /// Each of two loses against the other.
    LosesInALoop,
    /// What loses is told nothing.
    LosesForNothing,
    /// Nothing is ever lost, only hidden for ever.
    NeverLoses,
    /// What it shows loses.
    LosesTheSecond,
    /// A writer whose clock is behind does not read what it wrote.
    NoFloor,
    /// A delete lets the hidden reappear.
    DeletesByCovering,
    /// What loses is reported twice.
    LosesTwice,
    /// The newest loses against the older.
    LosesTheNewest,
    /// It names an author whose write is not there.
    ShowsTheDead,
    /// What it hides it does not count.
    CountsNothing,
    /// It writes what belongs to another rule.
    WritesAnother,
    /// A key that nobody has written reads as null.
    ReadsNothingAsNull,
    /// It counts differently each time.
    CountsByMood,
    /// It makes another plan each time.
    PlansByMood,
    /// Merging leaves it all as it was.
    NeverMerged,
}

pub(crate) struct Planted<'a> {
    rule: &'a dyn Resolver,
    flaw: Flaw,
    met: Mutex<Option<WriteId>>,
}

impl<'a> Planted<'a> {
    pub(crate) fn new(rule: &'a dyn Resolver, flaw: Flaw) -> Self {
        let met = Mutex::default();
        Self { rule, flaw, met }
    }

    fn spoil(&self, plan: Plan, operation: &Operation, entry: &Entry, writer: &Writer) -> Plan {
        let mut plan = plan;
        match self.flaw {
            Flaw::CoversEverything => {
                plan.over.union(entry.context());
            }
            Flaw::CoversAhead => {
                let next = entry.context().last_of(writer).unwrap_or_default().next();
                let ahead = Span::new(writer.clone(), next, Seq::new(next.get() + 5));
                plan.over.insert(ahead);
            }
            Flaw::CoversBarely => {
                let covered = entry.writes().filter(|(id, _)| plan.over.contains(id));
                let mut bare = Context::new();
                for (id, _) in covered {
                    bare.insert_id(id);
                }
                plan.over = bare;
            }
            Flaw::WritesAnother => plan.payload = plan.payload.map(|_| Payload::count(1)),
            Flaw::PlansByMood => {
                let mut met = self.met.lock().unwrap();
                *met = met
                    .is_none()
                    .then(|| WriteId::new(writer.clone(), Seq::new(1)));
                plan.floor = plan.floor.filter(|_| met.is_some());
            }
            Flaw::NoFloor => plan.floor = Some(Stamp::default()),
            Flaw::DeletesByCovering if *operation == Operation::Delete => plan.payload = None,
            Flaw::NeverMerged => {
                let live = entry.writes().filter(|_| plan.payload.is_some());
                for (id, _) in live {
                    plan.over.remove_id(id);
                }
            }
            _ => {}
        }
        plan
    }
}

impl std::fmt::Debug for Planted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} with the flaw {:?}", self.rule, self.flaw)
    }
}

impl Resolver for Planted<'_> {
    fn rule(&self) -> MergeRule {
        self.rule.rule()
    }

    fn holds(&self, kind: PayloadKind) -> bool {
        self.rule.holds(kind)
    }

    fn plan(
        &self,
        operation: &Operation,
        entry: &Entry,
        writer: &Writer,
    ) -> Result<Option<Plan>, OperationError> {
        let plan = self.rule.plan(operation, entry, writer)?;
        Ok(plan.map(|plan| self.spoil(plan, operation, entry, writer)))
    }

    fn fold(&self, entry: &Entry) -> Option<Value> {
        let value = |id: &WriteId| entry.write(id)?.payload.value();
        if self.flaw == Flaw::ReadsNothingAsNull && !entry.is_live() {
            return Some(Value::Null);
        }
        let newest = self.rule.fold(entry)?;
        match self.flaw {
            Flaw::ShowsTheFirstMet => {
                let mut met = self.met.lock().unwrap();
                if met.as_ref().is_none_or(|id| entry.write(id).is_none()) {
                    *met = self.rule.shown(entry);
                }
                met.as_ref().and_then(value)
            }
            Flaw::ReadsTheContext if entry.context().spans().len() > entry.live_count() => {
                value(entry.writes().next()?.0)
            }
            _ => Some(newest),
        }
    }

    fn shown(&self, entry: &Entry) -> Option<WriteId> {
        let shown = self.rule.shown(entry)?;
        let seq = if self.flaw == Flaw::ShowsTheDead {
            Seq::new(shown.seq.get() + 1)
        } else {
            shown.seq
        };
        Some(WriteId::new(shown.writer, seq))
    }

    fn hidden(&self, entry: &Entry) -> usize {
        if self.flaw == Flaw::CountsNothing {
            return 0;
        }
        if self.flaw == Flaw::CountsByMood {
            let mut met = self.met.lock().unwrap();
            *met = if met.is_none() {
                self.rule.shown(entry)
            } else {
                None
            };
            return usize::from(met.is_some());
        }
        self.rule.hidden(entry)
    }

    fn siblings(&self, entry: &Entry) -> Vec<WriteId> {
        self.rule.siblings(entry)
    }

    fn losses(&self, entry: &Entry) -> Vec<Loss> {
        let mut losses = self.rule.losses(entry);
        match self.flaw {
            Flaw::NeverLoses => losses.clear(),
            Flaw::LosesTwice => losses.extend(losses.clone()),
            Flaw::LosesTheNewest => {
                for loss in &mut losses {
                    if let Some(winner) = &mut loss.winner {
                        std::mem::swap(winner, &mut loss.loser);
                    }
                }
            }
            Flaw::LosesForNothing => losses.iter_mut().for_each(|loss| loss.winner = None),
            Flaw::LosesInALoop => {
                let back = losses.iter().find_map(|loss| {
                    let (loser, winner) = (loss.winner.clone()?, Some(loss.loser.clone()));
                    Some(Loss { loser, winner })
                });
                losses.retain(|loss| loss.winner.is_some());
                losses.extend(back);
            }
            Flaw::LosesTheSecond => {
                let mut ids = entry.writes().map(|(id, _)| id.clone());
                let winner = ids.next();
                losses.extend(ids.next().map(|loser| Loss { loser, winner }));
            }
            _ => {}
        }
        losses
    }

    fn unmerged(&self, entry: &Entry) -> Vec<WriteId> {
        self.rule.unmerged(entry)
    }
}
