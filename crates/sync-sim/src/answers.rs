//! What users are told.

use sync_core::{Answer, Durability, MergeRule, Reason, Receipt, Reply, RequestError, WriteId};
use sync_protocol::Outcome;

use crate::workload::{Asked, Reader};
use crate::world::World;

impl World {
    /// A receipt reached the application.
    pub(crate) fn received(&mut self, n: usize, receipt: Receipt) {
        if self.loses(&receipt) {
            return;
        }
        self.stats.hit(if receipt.refused() {
            "refusal"
        } else {
            "receipt"
        });
        let mine = receipt.addressee() == &self.replicas[n].agent;
        self.require(mine, || {
            format!("replica {n} got another's receipt: {receipt}")
        });
        if matches!(receipt.reason, Reason::TooLarge { .. }) && !self.plan.fights {
            self.stats.hit("refused by a policy");
        }
        if matches!(receipt.reason, Reason::FutureStamp { .. }) {
            self.stats.hit("future stamp refused");
        }
        self.check_quota(&receipt);
        if receipt.rule() == Some(MergeRule::Authority) && receipt.refused() {
            self.stats.hit("plain write comes back");
        }
        self.trace.say(|| format!("receipt: {receipt}"));
        if let Reason::Dropped { .. } = receipt.reason {
            self.stats.hit("summary");
        } else {
            self.check_receipt(&receipt);
        }
        self.ghost.receipts.insert(receipt.write.clone(), receipt);
    }

    pub(crate) fn answered_by_replica(
        &mut self,
        n: usize,
        request: u64,
        result: Result<Outcome, RequestError>,
    ) {
        let Some(asked) = self.asked.remove(&request) else {
            return self.require(false, || format!("replica {n} answered {request} twice"));
        };
        match (asked, result) {
            (Asked::Write(id), Ok(Outcome::Written(ack))) => {
                self.require(ack.write_id == id, || {
                    format!("replica {n} acknowledged {:?}, made {id:?}", ack.write_id)
                });
                match (&id, ack.durability) {
                    (Some(id), Durability::Hub) => self.check_reached(id),
                    (Some(id), Durability::Replicas(count)) => self.check_held(id, count),
                    _ => {}
                }
                // What is only in memory may be gone with the process: that was said.
                let lasts = ack.durability != Durability::Memory;
                if let Some(op) = id.and_then(|id| self.ghost.ops.get_mut(&id)) {
                    op.acked = lasts;
                    self.stats.hit("write");
                    self.stats.hit(match ack.durability {
                        Durability::Memory => "write in memory",
                        Durability::Hub => "write at the hub",
                        Durability::Replicas(_) => "write at others",
                        _ => "write on disk",
                    });
                }
            }
            (Asked::Position(live), Ok(Outcome::Done)) => self.reached(n, &live),
            (Asked::Flush { made, to_hub }, Ok(Outcome::Done)) => self.flushed(n, &made, to_hub),
            (Asked::Write(_), Err(RequestError::Unreached { .. })) => {
                self.stats.hit("level not reached");
            }
            (Asked::Watch(watcher, from), Ok(Outcome::Answered(answer))) => {
                self.watched(watcher, from, Ok(answer));
            }
            (Asked::Watch(watcher, from), Err(error)) => self.watched(watcher, from, Err(error)),
            (Asked::Propose(id), Ok(Outcome::Answered(Answer::Decided(decision)))) => {
                self.told_decision(id, &decision);
            }
            (Asked::Vote(agent, id, vote), result) => {
                self.vote_answered((agent, id), vote, result.err());
            }
            (Asked::Decide(call), Ok(Outcome::Answered(answer))) => {
                self.told_decided(call, Ok(answer));
            }
            (Asked::Decide(call), Err(error)) => self.told_decided(call, Err(error)),
            (asked, Ok(Outcome::Answered(answer))) => self.answered(asked, answer),
            (_, Err(RequestError::Shed { .. })) => self.stats.hit("shed"),
            (Asked::Write(None), Err(RequestError::Operation { reason }))
                if reason.contains("compare-and-set") =>
            {
                self.stats.hit("plain write refused");
            }
            (Asked::Write(made), Err(error)) => self.refused_for_room(made.as_ref(), &error),
            _ => {}
        }
    }

    /// Of a write that is said to survive its agent the hub knows.
    pub(crate) fn check_reached(&mut self, id: &WriteId) {
        let op = self.ghost.ops.get(id).filter(|op| op.payload.is_some());
        let (Some(op), Some(hub), 0) = (op, &self.hub.machine, self.rollbacks) else {
            return;
        };
        let state = hub.keyspace().get(&op.key);
        let is_known = state.is_some_and(|state| state.entry().context().contains(id));
        self.require(is_known, || format!("the hub has never heard of {id}"));
    }

    pub(crate) fn answered_by_hub(&mut self, request: u64, answer: Reply) {
        let Some(asked) = self.asked.remove(&request) else {
            return self.require(false, || format!("the hub answered {request} twice"));
        };
        if let Asked::Watch(watcher, from) = asked {
            return self.watched(watcher, from, answer);
        }
        if let Asked::Decide(call) = asked {
            return self.told_decided(call, answer);
        }
        let is_fooled = matches!(asked, Asked::Impostor) && answer.is_ok();
        self.require(!is_fooled, || "two proposals under one id".to_owned());
        let is_told = !matches!(asked, Asked::Beyond) || answer.is_err();
        self.require(is_told, || {
            format!("nothing is new above the head: {answer:?}")
        });
        if let (Asked::Write(made), Err(error)) = (&asked, &answer) {
            self.refused_for_room(made.as_ref(), error);
        }
        match answer {
            Ok(answer) => self.answered(asked, answer),
            Err(RequestError::EpochMismatch { .. } | RequestError::Ahead { .. })
                if matches!(asked, Asked::Delta) =>
            {
                self.stats.hit("reader starts anew");
                self.reader = Reader::default();
            }
            Err(RequestError::NobodyConnected { .. }) => self.stats.hit("nobody connected"),
            Err(RequestError::NobodyAnswered { .. }) => self.stats.hit("nobody answered"),
            Err(RequestError::Shed { .. }) => self.stats.hit("shed"),
            Err(_) => {}
        }
    }

    fn answered(&mut self, asked: Asked, answer: Answer) {
        match (asked, answer) {
            (Asked::Write(id), Answer::Written(ack)) => {
                self.require(ack.write_id == id, || {
                    format!("the hub acknowledged {:?}, made {id:?}", ack.write_id)
                });
                if let Some(op) = id.and_then(|id| self.ghost.ops.get_mut(&id)) {
                    op.acked = true;
                }
            }
            (Asked::Clear(ids), Answer::Cleared(_)) => {
                self.trace.say(|| format!("cleared {ids:?}"));
                self.ghost
                    .cleared
                    .extend(ids.into_iter().map(|id| (id, true)));
            }
            (Asked::Propose(id), Answer::Decided(decision)) => self.told_decision(id, &decision),
            (Asked::Status(when), Answer::Status(status)) => {
                let alarms = status.id_alarms;
                self.require(alarms == 0, || format!("{alarms} ids named two writes"));
                self.check_grid(when, &status);
            }
            (Asked::Round(keys), Answer::Synced(report)) => {
                self.check_report(&keys, &report);
                self.last_report = Some(report);
            }
            (Asked::Policies, Answer::Policies(told)) => self.told_policies(&told),
            (Asked::Receipts(agent), Answer::Receipts { receipts, .. }) => {
                self.told_waiting(&agent, &receipts);
            }
            (Asked::Held(live), Answer::Held(count)) => self.check_holders(&live, count),
            (Asked::Past(ask), Answer::Past(answer)) => self.told_past(&ask, &answer),
            (Asked::Delta, Answer::Delta(delta)) => {
                for change in delta.changes {
                    self.check_expired(&change);
                    match change.value {
                        Some(value) => self.reader.held.insert(change.key, value),
                        None => self.reader.held.remove(&change.key),
                    };
                }
                self.reader.cursor = Some(delta.to);
            }
            _ => {}
        }
    }
}
