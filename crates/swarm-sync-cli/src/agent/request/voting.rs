//! Proposals and votes.

use serde_json::Value as Json;
use swarm_sync::{Ballot, Key, Limits, Operation, ProposalDraft, ProposalId, RequestError, Vote};

use super::fields::Fields;
use super::{Refused, Request};

/// The fields that say what approval does to the key.
const EFFECTS: [&str; 6] = ["value", "add", "insert", "remove", "unset", "delete"];

impl Fields {
    pub(super) fn propose(&mut self) -> Result<Request, Refused> {
        let mut draft = ProposalDraft::new(self.value("proposal")?);
        if let Some((key, operation)) = self.effect()? {
            draft = draft.commit(key, operation);
        }
        if let Some(name) = self.optional_text("algorithm")? {
            draft = draft.algorithm(name);
        }
        match self.take("threshold") {
            None | Some(Json::Null) => {}
            Some(share) => match share.as_f64() {
                // One that makes no sense is refused with the draft's own sentence.
                Some(share) => draft = draft.threshold(share),
                None => return Err(self.mistyped("threshold", "a number above 0 and at most 1")),
            },
        }
        let longest = Limits::default().vote_deadline_max.as_millis();
        let longest = u64::try_from(longest).unwrap_or(u64::MAX);
        if let Some(timeout) = self.timeout_of(longest)? {
            draft = draft.timeout(timeout);
        }
        if self.peek("proposal_id").is_some() {
            draft = draft.under(self.proposal_id()?);
        }
        draft.check()?;
        Ok(Request::Propose {
            draft: Box::new(draft),
            sync: self.flag("sync")?,
        })
    }

    pub(super) fn vote(&mut self) -> Result<Request, Refused> {
        let proposal = self.proposal_id()?;
        let vote = match self.optional_text("vote")?.as_deref() {
            Some("for") => Vote::For,
            Some("against") => Vote::Against,
            Some("abstain") => Vote::Abstain,
            _ => return Err(self.mistyped("vote", "\"for\", \"against\" or \"abstain\"")),
        };
        let reason = self.optional_text("reason")?;
        let ballot = Ballot { vote, reason };
        Ok(Request::Vote { proposal, ballot })
    }

    fn proposal_id(&mut self) -> Result<ProposalId, Refused> {
        let id = self.text("proposal_id")?.parse::<ProposalId>();
        Ok(id.map_err(RequestError::from)?)
    }

    /// What approval commits, if anything.
    fn effect(&mut self) -> Result<Option<(Key, Operation)>, Refused> {
        let present = |name: &&str| self.peek(name).is_some();
        let named: Vec<&str> = EFFECTS.into_iter().filter(present).collect();
        if named.is_empty() && self.peek("key").is_none() {
            return Ok(None);
        }
        let [effect] = named[..] else {
            return Err(no_effect());
        };
        if self.peek("key").is_none() {
            return Err(no_effect());
        }
        if effect != "value" && self.peek("field").is_some() {
            return Err(Refused::bad(format!(
                "\"field\" goes with \"value\", and \"unset\" names the field itself: {effect:?} is about the whole key"
            )));
        }
        let operation = match effect {
            "value" => match self.optional_text("field")? {
                Some(field) => Operation::PutField(field, self.value("value")?),
                None => Operation::Put(self.value("value")?),
            },
            "add" => Operation::Add(self.integer("add")?),
            "insert" => Operation::Insert(self.value("insert")?),
            "remove" => Operation::Remove(self.value("remove")?),
            "unset" => Operation::UnsetField(self.text("unset")?),
            _ if self.flag("delete")? => Operation::Delete,
            _ => return Err(self.mistyped("delete", "true, or nothing")),
        };
        Ok(Some((self.key()?, operation)))
    }
}

fn no_effect() -> Refused {
    let effects = EFFECTS.join(", ");
    Refused::bad(format!(
        "what approval writes is \"key\" and one of {effects}; a vote that writes nothing has none of them"
    ))
}
