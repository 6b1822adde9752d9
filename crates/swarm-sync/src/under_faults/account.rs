//! What became of every write that was acknowledged, kept outside the nodes: visible, absorbed by its rule,
//! knowingly replaced, or back in the hands of its writer.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::{Key, PastCommit, Receipt, Value, WriteId};

/// What is written, in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A key of its own.
    Own,
    /// A counter that all add to.
    Counter,
    /// A set that all insert into.
    Set,
    /// A register that all write to.
    Register,
}

impl Kind {
    pub(super) fn of(number: u64) -> Self {
        match number % 4 {
            0 => Self::Own,
            1 => Self::Counter,
            2 => Self::Set,
            _ => Self::Register,
        }
    }
}

/// One write of an agent.
#[derive(Debug, Default)]
struct Attempt {
    /// Once it was acknowledged.
    id: Option<WriteId>,
    /// What the register showed right before; the number of a write of the same agent.
    over: Option<u64>,
}

/// All that one agent has written, in all its runs. Numbers go on from one run to the next.
#[derive(Debug, Default)]
pub(super) struct Account {
    attempts: BTreeMap<u64, Attempt>,
}

impl Account {
    /// The next number; `over` is which of its own writes it is to replace.
    pub(super) fn begin(&mut self, over: Option<u64>) {
        let number = self.next();
        self.attempts.insert(number, Attempt { id: None, over });
    }

    pub(super) fn next(&self) -> u64 {
        self.attempts.len() as u64
    }

    pub(super) fn acknowledge(&mut self, number: u64, id: Option<WriteId>) {
        if let Some(attempt) = self.attempts.get_mut(&number) {
            attempt.id = id;
        }
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.attempts.values().filter(|a| a.id.is_some()).count() as u64
    }

    /// Whether a later write of the same agent has replaced it, which was shown it.
    fn is_replaced(&self, number: u64) -> bool {
        let later = self.attempts.range(number + 1..);
        later.into_iter().any(|(_, a)| a.over == Some(number))
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = (u64, &Attempt)> {
        let own = move |(number, _): &(&u64, &Attempt)| Kind::of(**number) == kind;
        self.attempts.iter().filter(own).map(|(n, a)| (*n, a))
    }
}

/// What the nodes say once they agree.
#[derive(Debug, Default, Clone)]
pub(super) struct Testimony {
    /// Of any replica: all hold the same.
    pub(super) values: BTreeMap<Key, Value>,
    /// Of each replica, what came back to it.
    pub(super) receipts: BTreeMap<usize, Vec<Receipt>>,
    /// Of the hub, all commits of the register.
    pub(super) commits: Vec<PastCommit>,
}

/// What a write reads as.
pub(super) fn text(agent: usize, number: u64) -> String {
    format!("{agent}/{number}")
}

/// The number of a write of this agent, if that is what was read.
pub(super) fn number_of(agent: usize, value: Option<&Value>) -> Option<u64> {
    let Some(Value::Text(text)) = value else {
        return None;
    };
    let (writer, number) = text.split_once('/')?;
    (writer.parse() == Ok(agent)).then(|| number.parse().ok())?
}

/// The first write that is not accounted for, as a sentence.
pub(super) fn check(accounts: &[&Account], told: &Testimony) -> Result<(), String> {
    counter(accounts, told)?;
    for (agent, account) in accounts.iter().enumerate() {
        own(agent, account, told)?;
        set(agent, account, told)?;
        register(agent, account, told)?;
    }
    Ok(())
}

fn read<'a>(told: &'a Testimony, key: &str) -> Option<&'a Value> {
    told.values
        .iter()
        .find(|(k, _)| k.as_str() == key)
        .map(|(_, value)| value)
}

fn counter(accounts: &[&Account], told: &Testimony) -> Result<(), String> {
    let all = || {
        accounts
            .iter()
            .flat_map(|account| account.of(Kind::Counter))
    };
    let least = all().filter(|(_, attempt)| attempt.id.is_some()).count();
    let most = all().count();
    let sum = match read(told, "counter") {
        None => 0,
        Some(Value::Int(sum)) => usize::try_from(*sum).unwrap_or(usize::MAX),
        Some(other) => return Err(format!("the counter reads {other:?}")),
    };
    if (least..=most).contains(&sum) {
        return Ok(());
    }
    Err(format!(
        "the counter reads {sum}, from {least} to {most} was added"
    ))
}

fn own(agent: usize, account: &Account, told: &Testimony) -> Result<(), String> {
    for (number, attempt) in account.of(Kind::Own) {
        let text = text(agent, number);
        let found = read(told, &format!("own/{text}"));
        let right = match found {
            None => attempt.id.is_none(),
            Some(value) => *value == Value::from(text.as_str()),
        };
        if !right {
            return Err(format!(
                "{:?} reads {found:?}, it was set to {text}",
                attempt.id
            ));
        }
    }
    Ok(())
}

fn set(agent: usize, account: &Account, told: &Testimony) -> Result<(), String> {
    let elements: BTreeSet<u64> = match read(told, "set") {
        Some(Value::List(elements)) => {
            let numbers = elements.iter().filter_map(|e| number_of(agent, Some(e)));
            numbers.collect()
        }
        _ => BTreeSet::new(),
    };
    let lost = account
        .of(Kind::Set)
        .find(|(number, attempt)| attempt.id.is_some() && !elements.contains(number));
    if let Some((number, attempt)) = lost {
        return Err(format!(
            "element {number} of agent {agent} is gone: {attempt:?}"
        ));
    }
    let written = |number: &u64| account.of(Kind::Set).any(|(n, _)| n == *number);
    match elements.iter().find(|number| !written(number)) {
        Some(number) => Err(format!("nobody wrote element {number} of agent {agent}")),
        None => Ok(()),
    }
}

/// It came back, or it was committed and has not lost since, or its own writer replaced it before it was.
fn register(agent: usize, account: &Account, told: &Testimony) -> Result<(), String> {
    let receipts = told
        .receipts
        .get(&agent)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let came_back = |id: &WriteId| receipts.iter().any(|receipt| receipt.write == *id);
    let commits = || told.commits.iter();
    let committed = |id: &WriteId| commits().flat_map(|c| &*c.writes).any(|w| w.write == *id);
    let lost = |id: &WriteId| {
        commits()
            .flat_map(|c| &*c.lost)
            .any(|l| l.lost.write == *id)
    };
    for (number, attempt) in account.of(Kind::Register) {
        let Some(id) = &attempt.id else { continue };
        let stayed = committed(id) && !lost(id);
        if !came_back(id) && !stayed && !account.is_replaced(number) {
            return Err(format!(
                "{id}, number {number} of agent {agent}, has disappeared: the register reads {:?}, its writer was told {receipts:?}",
                read(told, "register")
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> WriteId {
        format!("agent-0/0000000000000001/{number}")
            .parse()
            .expect("an id")
    }

    fn account(writes: u64) -> Account {
        let mut account = Account::default();
        for number in 0..writes {
            account.begin(None);
            account.acknowledge(number, Some(id(number + 1)));
        }
        account
    }

    fn whole() -> Testimony {
        let key = |name: &str| Key::new(name).expect("a key");
        let element = Value::from(text(0, 2).as_str());
        Testimony {
            values: BTreeMap::from([
                (key("own/0/0"), Value::from(text(0, 0).as_str())),
                (key("counter"), Value::Int(1)),
                (key("set"), Value::List(vec![element])),
            ]),
            ..Testimony::default()
        }
    }

    #[test]
    fn each_kind_of_write_is_missed() {
        assert_eq!(check(&[&account(3)], &whole()), Ok(()));
        for key in ["own/0/0", "counter", "set"] {
            let mut told = whole();
            told.values.retain(|k, _| k.as_str() != key);
            assert!(check(&[&account(3)], &told).is_err(), "{key}");
        }
        let gone = check(&[&account(4)], &whole());
        assert!(gone.is_err_and(|reason| reason.contains("has disappeared")));
    }

    #[test]
    fn what_its_own_writer_replaced_is_accounted_for() {
        let mut account = account(4);
        account.attempts.insert(
            7,
            Attempt {
                id: None,
                over: Some(3),
            },
        );
        assert_eq!(check(&[&account], &whole()), Ok(()));
    }

    #[test]
    fn a_counter_that_counts_twice_is_found() {
        let mut told = whole();
        let key = Key::new("counter").expect("a key");
        told.values.insert(key, Value::Int(2));
        assert!(check(&[&account(3)], &told).is_err());
    }
}
