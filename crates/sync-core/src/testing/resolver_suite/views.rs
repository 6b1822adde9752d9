//! Laws of what a rule says about an entry.

use std::collections::BTreeSet;

use super::node::live;
use super::{Checked, Law, require, require_equal, told};
use crate::context::Context;
use crate::entry::Entry;
use crate::id::WriteId;
use crate::resolver::{Loss, Resolver};
use crate::value::Value;

/// Everything that a rule says about one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    pub(super) value: Option<Value>,
    pub(super) shown: Option<WriteId>,
    pub(super) hidden: usize,
    pub(super) siblings: Vec<WriteId>,
    pub(super) losses: Vec<Loss>,
    pub(super) unmerged: Vec<WriteId>,
}

impl View {
    pub(super) fn of(rule: &dyn Resolver, entry: &Entry) -> Self {
        Self {
            value: rule.fold(entry),
            shown: rule.shown(entry),
            hidden: rule.hidden(entry),
            siblings: rule.siblings(entry),
            losses: rule.losses(entry),
            unmerged: rule.unmerged(entry),
        }
    }

    /// What lost against something.
    pub(super) fn beaten(&self) -> impl Iterator<Item = (&WriteId, &WriteId)> {
        let against = |loss: &'_ Loss| loss.winner.is_some();
        let beaten = self.losses.iter().filter(move |loss| against(loss));
        beaten.filter_map(|loss| Some((&loss.loser, loss.winner.as_ref()?)))
    }

    fn shows(&self, id: &WriteId) -> bool {
        self.shown.as_ref() == Some(id) || self.siblings.contains(id)
    }

    /// What waits for the hub without being shown to anybody.
    pub(super) fn waiting(&self) -> BTreeSet<&WriteId> {
        let waiting = self.beaten().map(|(loser, _)| loser).chain(&self.unmerged);
        waiting.filter(|id| !self.shows(id)).collect()
    }
}

/// Checks an entry as somebody holds it.
pub(super) fn check(rule: &dyn Resolver, entry: &Entry) -> Result<View, super::Fault> {
    let view = View::of(rule, entry);
    purity(rule, entry, &view)?;
    shown(entry, &view)?;
    losses(entry, &view)?;
    accounts(entry, &view)?;
    Ok(view)
}

fn purity(rule: &dyn Resolver, entry: &Entry, view: &View) -> Checked {
    // The same, put together from the other end.
    let copies = entry.writes().map(|(id, w)| (id.clone(), w.clone()));
    let turned: Vec<_> = copies.collect::<Vec<_>>().into_iter().rev().collect();
    let again = Entry::from_parts(turned.clone(), entry.context().clone()).unwrap();
    // As a replica asks that has met one of the writes before the others.
    for (id, write) in &turned {
        rule.fold(&Entry::of_write(id.clone(), write.clone()));
    }
    let law = Law::FoldsPurely;
    require_equal(law, "asked again", &view.value, &rule.fold(&again))?;
    let mut ids = Context::new();
    for (id, _) in &turned {
        ids.insert_id(id);
    }
    let alone = Entry::from_parts(turned, ids).unwrap();
    let what = "with and without the rest of the context";
    require_equal(law, what, &view.value, &rule.fold(&alone))?;
    let answers = View::of(rule, &again);
    require_equal(Law::AnswersPurely, "asked again", view, &answers)
}

fn shown(entry: &Entry, view: &View) -> Checked {
    let law = Law::ShowsWhatIsLive;
    let told = || format!("{view:?} of {}", told(entry));
    let named = view.siblings.iter().chain(&view.unmerged);
    let all_live = named.chain(&view.shown).all(|id| entry.write(id).is_some());
    require(law, all_live, told)?;
    for several in [&view.siblings, &view.unmerged] {
        let different: BTreeSet<_> = several.iter().collect();
        require(law, different.len() == several.len(), told)?;
        require(law, several.len() != 1, told)?;
    }
    let among = view.siblings.is_empty()
        || view
            .shown
            .as_ref()
            .is_none_or(|shown| view.siblings.contains(shown));
    require(law, among, told)?;
    let absent = entry.is_live() || view.value.is_none();
    require(Law::NothingReadsAsAbsent, absent, told)
}

fn losses(entry: &Entry, view: &View) -> Checked {
    let told = || format!("{view:?} of {}", told(entry));
    let losers: BTreeSet<_> = view.losses.iter().map(|loss| &loss.loser).collect();
    require(
        Law::LosesLiveWrites,
        losers.len() == view.losses.len(),
        told,
    )?;
    for Loss { loser, winner } in &view.losses {
        let lost = entry.write(loser);
        require(Law::LosesLiveWrites, lost.is_some(), told)?;
        let absence = lost.is_some_and(|write| write.payload.kind().is_absence());
        let Some(winner) = winner else {
            require(Law::NoValueLosesSilently, absence, told)?;
            continue;
        };
        require(
            Law::LosesLiveWrites,
            loser != winner && entry.write(winner).is_some(),
            told,
        )?;
    }
    let beaten: BTreeSet<_> = view.beaten().map(|(loser, _)| loser).collect();
    let stands = |id: &WriteId| !beaten.contains(id);
    let winners_stand = view.beaten().all(|(_, winner)| stands(winner));
    let shown_stands = view.shown.as_ref().is_none_or(stands);
    require(Law::WinnersWin, winners_stand && shown_stands, told)?;
    // The hub covers losers before it merges.
    let merged_apart = view.unmerged.iter().all(|id| !losers.contains(id));
    require(Law::WinnersWin, merged_apart, told)
}

fn accounts(entry: &Entry, view: &View) -> Checked {
    let law = Law::AccountsForEveryWrite;
    let told = || format!("{view:?} of {}", told(entry));
    require(law, view.hidden == view.waiting().len(), told)?;
    if view.shown.is_none() {
        // A value that all its writes have a part in.
        return Ok(());
    }
    let lost = view.losses.iter().map(|loss| &loss.loser);
    let waits: BTreeSet<_> = lost.chain(&view.unmerged).collect();
    let accounted = |id: &WriteId| view.shows(id) || waits.contains(id);
    require(law, live(entry).iter().all(accounted), told)
}
