//! Laws of what an operation becomes.

use std::collections::BTreeSet;

use super::node::{Node, live, lowest};
use super::views::{self, View};
use super::{Checked, Fault, Law, require, require_equal, told};
use crate::entry::Entry;
use crate::id::WriteId;
use crate::payload::Payload;
use crate::resolver::{Operation, Plan, Resolver};

/// Plans `operation` at `node` and checks the plan. None if there is nothing to do, or it is refused.
pub(super) fn check(
    rule: &dyn Resolver,
    operation: &Operation,
    node: &Node,
) -> Result<Option<Plan>, Fault> {
    let (entry, writer) = (&node.entry, &node.writer);
    let before = views::check(rule, entry)?;
    let plan = rule.plan(operation, entry, writer);
    let law = Law::PlansPurely;
    let again = rule.plan(operation, entry, writer);
    require_equal(law, "the plan, asked twice", &plan, &again)?;
    let after = View::of(rule, entry);
    require_equal(law, "the entry, before and after", &before, &after)?;
    if *operation == Operation::Delete {
        delete(&before, &plan)?;
    }
    let Ok(Some(plan)) = plan else {
        return Ok(None);
    };
    let told = || format!("{operation:?} becomes {plan:?} on {}", told(entry));
    let held = |payload: &Payload| rule.holds(payload.kind());
    let holds = plan.payload.as_ref().is_none_or(held);
    require(Law::HoldsWhatItPlans, holds, told)?;
    let absorbed = entry.context().includes(&plan.over);
    require(Law::CoversWhatWasAbsorbed, absorbed, told)?;
    let ended: Vec<_> = entry
        .writes()
        .filter(|(id, _)| plan.over.contains(id))
        .collect();
    let hidden = before.waiting();
    let was_shown = ended.iter().all(|(id, _)| !hidden.contains(id));
    require(Law::CoversWhatWasShown, was_shown, told)?;
    let closed =
        |(id, write): &(&WriteId, &crate::write::Write)| plan.over.includes(&write.closure(id));
    require(Law::CoversClosed, ended.iter().all(closed), told)?;
    let spared = match (operation, part(operation)) {
        (Operation::Add(_), _) => ended.iter().all(|(id, _)| id.writer == *writer),
        (_, Some(part)) => {
            let same = |payload: &Payload| payload.part().as_ref() == Some(&part);
            ended.iter().all(|(_, write)| same(&write.payload))
        }
        _ => true,
    };
    require(Law::ReplacesItsPart, spared, told)?;
    carried_out(rule, operation, node, &plan)?;
    Ok(Some(plan))
}

/// The part of a key that an operation is about.
fn part(operation: &Operation) -> Option<Payload> {
    match operation {
        Operation::Insert(value) | Operation::Remove(value) => Payload::element(value).part(),
        Operation::PutField(name, _) | Operation::UnsetField(name) => Payload::unset(name).ok(),
        _ => None,
    }
}

fn delete(before: &View, plan: &Result<Option<Plan>, impl std::fmt::Debug>) -> Checked {
    let fits = match plan {
        Ok(None) => before.value.is_none(),
        Ok(Some(_)) => before.value.is_some(),
        Err(_) => false,
    };
    require(Law::DeletesTheKey, fits, || {
        format!("where it reads as {:?} it becomes {plan:?}", before.value)
    })
}

/// Carries the plan out as a writer does whose clock lags behind all others.
fn carried_out(rule: &dyn Resolver, operation: &Operation, node: &Node, plan: &Plan) -> Checked {
    let (id, delta) = node.compose(plan.clone(), lowest(plan));
    let mut entry = node.entry.clone();
    let expected: BTreeSet<_> = ended_by(plan, &entry, &id);
    entry.join(delta);
    let told = || {
        format!(
            "{operation:?} becomes {plan:?}, then there is {}",
            told(&entry)
        )
    };
    require(Law::EveryEndHasACause, live(&entry) == expected, told)?;
    let view = views::check(rule, &entry)?;
    if *operation == Operation::Delete {
        require(Law::DeletesTheKey, view.value.is_none(), told)?;
    }
    if plan.payload.is_none() {
        return Ok(());
    }
    let reads_it = !view.waiting().contains(&id) && view.shown.as_ref().is_none_or(|s| *s == id);
    require(Law::FloorIsHighEnough, reads_it, told)?;
    let mut beaten = view.beaten().filter(|(_, winner)| **winner == id);
    let below = beaten.all(|(loser, _)| entry.write(loser).map(|w| w.stamp) <= plan.floor);
    require(Law::FloorIsHighEnough, below, told)
}

/// What is live once the plan is carried out under `id`.
fn ended_by(plan: &Plan, entry: &Entry, id: &WriteId) -> BTreeSet<WriteId> {
    let mut live = live(entry);
    live.retain(|held| !plan.over.contains(held));
    live.extend(plan.payload.as_ref().map(|_| id.clone()));
    live
}
