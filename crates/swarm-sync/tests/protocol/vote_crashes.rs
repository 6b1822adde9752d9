//! Votes that outlive the hub, their proposer and those who vote.

use std::sync::Arc;
use std::time::Duration;

use sync_core::{
    Answer, Ask, Body, Decision, ProposalId, RequestError, Role, Value, Verdict, Version, Vote,
    VoteOutcome,
};
use sync_protocol::HubConfig;

use crate::ballots::{
    ASKED, ID, ballot, begin, cast, counted, decision, is_poll, is_vote, proposal, propose,
    said_on, that_writes, vote,
};
use crate::hand::{deliver, say};
use crate::stage::{AgentSide, HubSide, hub_config, key, put, talk, trio};

/// Both agents find the hub again.
fn meet_again(hub: &mut HubSide, a: &mut AgentSide, b: &mut AgentSide) {
    a.reconnect(hub, 11);
    b.reconnect(hub, 12);
    talk(hub, &mut [a, b]);
}

/// The hub dies after each number of batches between the proposal and the decision. Whoever proposed
/// asks again; both have voted by then or vote when they are asked.
#[test]
fn a_hub_that_dies_at_any_point_of_a_vote_decides_once() {
    let mut answered_before = 0;
    for batches in 0..10 {
        let (mut hub, mut a, mut b) = trio();
        begin(&mut hub, ASKED, that_writes("plan", put("ship it")));
        let mut left = batches;
        // Everybody goes on, but the hub's disk does only so much.
        for _ in 0..20 {
            let asked = |agent: &AgentSide| !agent.polls.is_empty() && agent.answers.is_empty();
            for agent in [&mut a, &mut b] {
                if asked(agent) && agent.replica.pending_writes() == 0 {
                    vote(agent, Vote::For);
                }
                say(&mut hub, agent);
            }
            if left > 0
                && let Some(token) = hub.disk.complete()
            {
                left -= 1;
                hub.hub.handle_persisted(hub.now(), token, Ok(()));
            }
            hub.drain();
            for (session, message) in std::mem::take(&mut hub.said) {
                for agent in [&mut a, &mut b] {
                    if agent.session == Some(session) {
                        agent.hear(message.clone());
                    }
                }
            }
        }
        let before = hub.take_answer(ASKED);
        answered_before += usize::from(before.is_some());
        hub.restart();
        propose(&mut hub, that_writes("plan", put("ship it")));
        meet_again(&mut hub, &mut a, &mut b);
        for agent in [&mut a, &mut b] {
            // Who was never asked before is now.
            if agent.replica.get(agent.now(), &key("plan")).is_none() {
                vote(agent, Vote::For);
            }
        }
        talk(&mut hub, &mut [&mut a, &mut b]);
        let decided = decision(&mut hub);
        assert_eq!(decided.verdict, Verdict::Approved, "{batches} batches");
        assert_eq!(decided.votes.len(), 2, "{batches} batches");
        if let Some(before) = before {
            assert_eq!(before, Ok(Answer::Decided(Arc::new(decided.clone()))));
        }
        let version = decided.committed.expect("approved").version;
        assert_eq!(
            version.map(Version::get),
            Some(1),
            "{batches}: committed once"
        );
        assert_eq!(a.value("plan"), Some(Value::from("ship it")));
        assert!(
            a.decided
                .iter()
                .all(|told| *told == (ID, Verdict::Approved))
        );
    }
    assert!(answered_before > 0, "some of them get that far");
}

#[test]
fn a_vote_that_was_under_way_goes_on_with_its_votes_and_its_deadline() {
    let (mut hub, a, b) = trio();
    propose(&mut hub, proposal(|_| {}));
    cast(&mut hub, a.session.unwrap(), Vote::For);
    hub.mono += Duration::from_secs(2);
    hub.restart();
    assert_eq!(hub.hub.poll_timeout(), Some(Duration::from_secs(5)));
    // Who has voted is not asked again; the other one is, with the time that is left.
    let [a, b] = [(21, a), (22, b)]
        .map(|(n, side)| hub.connect(n, side.replica.writer().agent().as_str(), Role::Member));
    let polls: Vec<_> = hub
        .said
        .iter()
        .filter_map(|(to, m)| match &m.body {
            Body::Proposal { poll } => Some((*to, poll.remaining_ms)),
            _ => None,
        })
        .collect();
    assert_eq!(polls, [(b, 3_000)]);
    assert_eq!(cast(&mut hub, a, Vote::For), Some(VoteOutcome::Counted));
    propose(&mut hub, proposal(|_| {}));
    hub.pass(Duration::from_secs(3));
    hub.settle();
    let decided = decision(&mut hub);
    assert_eq!(decided.verdict, Verdict::Timeout);
    assert_eq!((decided.votes.len(), decided.duration_ms), (1, 5_000));
}

#[test]
fn a_clock_that_was_set_back_gives_no_time_back_from_before_the_last_vote() {
    let (mut hub, a, _) = trio();
    propose(&mut hub, proposal(|_| {}));
    hub.mono += Duration::from_secs(3);
    cast(&mut hub, a.session.unwrap(), Vote::For);
    // A day before it was proposed.
    hub.mono += Duration::from_secs(1);
    hub.day_before = true;
    hub.restart();
    let due = hub.mono + Duration::from_secs(2);
    assert_eq!(hub.hub.poll_timeout(), Some(due));
}

/// A hub for which the agent `a` weighs this much.
fn with_weight(weight: f64) -> HubConfig {
    let heavy = sync_core::AgentId::new("a").expect("a name");
    let weighted = sync_resolve::Weighted::new([(heavy, weight)]).expect("a weight");
    let mut config = hub_config();
    config.algorithms = sync_resolve::algorithms().with("weighted", Arc::new(weighted));
    config
}

/// What a weighted vote comes to, for which `a` is and `b` is not, if the hub is restarted as another
/// one before either has voted.
fn weighed_across(before: HubConfig, after: HubConfig) -> Decision {
    let mut hub = HubSide::with(before);
    let (mut a, mut b) = (AgentSide::new("a"), AgentSide::new("b"));
    meet_again(&mut hub, &mut a, &mut b);
    let weighed = || proposal(|p| p.algorithm = Some("weighted".to_owned()));
    propose(&mut hub, weighed());
    talk(&mut hub, &mut [&mut a, &mut b]);
    hub.config = after;
    hub.restart();
    propose(&mut hub, weighed());
    meet_again(&mut hub, &mut a, &mut b);
    vote(&mut a, Vote::For);
    vote(&mut b, Vote::Against);
    talk(&mut hub, &mut [&mut a, &mut b]);
    decision(&mut hub)
}

#[test]
fn a_hub_restarted_with_other_weights_judges_by_those_of_the_proposal() {
    let decision = weighed_across(with_weight(5.0), with_weight(0.1));
    assert_eq!(decision.verdict, Verdict::Approved);
}

#[test]
fn a_hub_restarted_without_weights_judges_by_those_of_the_proposal() {
    let decision = weighed_across(with_weight(5.0), hub_config());
    assert_eq!((decision.verdict, decision.why), (Verdict::Approved, None));
}

#[test]
fn a_vote_whose_algorithm_is_gone_says_so_when_its_time_is_over() {
    let (mut hub, mut a, mut b) = trio();
    let own = Arc::new(sync_resolve::Quorum::majority());
    hub.config.algorithms = sync_resolve::algorithms().with("own", own);
    hub.restart();
    meet_again(&mut hub, &mut a, &mut b);
    let by_own = || proposal(|p| p.algorithm = Some("own".to_owned()));
    propose(&mut hub, by_own());
    hub.config = hub_config();
    hub.restart();
    propose(&mut hub, by_own());
    meet_again(&mut hub, &mut a, &mut b);
    vote(&mut a, Vote::For);
    vote(&mut b, Vote::For);
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert!(hub.take_answer(ASKED).is_none());
    hub.pass(Duration::from_secs(5));
    hub.settle();
    let decision = decision(&mut hub);
    let why = decision.why.expect("a reason");
    assert_eq!(decision.verdict, Verdict::Timeout);
    assert!(why.contains("\"own\" is not known to this hub"), "{why}");
}

#[test]
fn what_its_votes_suffice_for_is_decided_after_a_restart_however_late_it_is() {
    for (votes, expected) in [(2, Verdict::Approved), (1, Verdict::Timeout)] {
        let (mut hub, a, b) = trio();
        propose(&mut hub, that_writes("plan", put(1)));
        let sessions = [a.session.unwrap(), b.session.unwrap()];
        for session in &sessions[..votes] {
            let said = said_on(&hub, ID, ballot(Vote::For));
            hub.hear(*session, said);
            // The vote is durable; what it decides is not.
            if let Some(token) = hub.disk.complete() {
                hub.hub.handle_persisted(hub.now(), token, Ok(()));
            }
        }
        hub.mono += Duration::from_hours(1);
        hub.restart();
        propose(&mut hub, that_writes("plan", put(1)));
        assert_eq!(decision(&mut hub).verdict, expected);
        let value = (expected == Verdict::Approved).then_some(Value::Int(1));
        assert_eq!(hub.value("plan"), value);
    }
}

#[test]
fn a_vote_goes_on_when_its_proposer_is_gone() {
    let (mut hub, a, b) = trio();
    let client = hub.connect(5, "client", Role::Client);
    let ask = Ask::Propose(Box::new(that_writes("plan", put(1))));
    hub.hear(client, Body::Request { request: 1, ask });
    hub.settle();
    hub.hub.handle_disconnected(hub.now(), client);
    cast(&mut hub, a.session.unwrap(), Vote::For);
    cast(&mut hub, b.session.unwrap(), Vote::For);
    assert!(!hub.said.iter().any(|(to, _)| *to == client));
    // It is remembered for whoever asks again.
    propose(&mut hub, that_writes("plan", put(1)));
    assert_eq!(decision(&mut hub).verdict, Verdict::Approved);
    assert_eq!(hub.value("plan"), Some(Value::Int(1)));
}

#[test]
fn a_store_that_fails_stops_the_hub_with_its_votes_undecided() {
    let (mut hub, a, b) = trio();
    begin(&mut hub, ASKED, proposal(|_| {}));
    hub.settle();
    for session in [a.session, b.session] {
        let said = said_on(&hub, ID, ballot(Vote::For));
        hub.hear(session.unwrap(), said);
    }
    hub.said.clear();
    let token = hub.disk.complete().expect("a vote");
    hub.hub
        .handle_persisted(hub.now(), token, Err("no space left".to_owned()));
    hub.drain();
    let answer = hub.take_answer(ASKED);
    assert!(
        matches!(answer, Some(Err(RequestError::Stopped { .. }))),
        "{answer:?}"
    );
    assert!(hub.said.is_empty(), "nothing is confirmed: {:?}", hub.said);
    // Those that wait in a vote that is still open hear it, too.
    let (mut hub, ..) = trio();
    begin(&mut hub, ASKED, proposal(|_| {}));
    hub.settle();
    begin(
        &mut hub,
        71,
        proposal(|p| p.id = ProposalId::from_random(8)),
    );
    let token = hub.disk.complete().expect("a poll");
    hub.hub
        .handle_persisted(hub.now(), token, Err("no space left".to_owned()));
    hub.drain();
    for request in [ASKED, 71] {
        let answer = hub.take_answer(request);
        assert!(
            matches!(answer, Some(Err(RequestError::Stopped { .. }))),
            "{answer:?}"
        );
    }
}

#[test]
fn an_agent_that_dies_between_its_vote_and_the_reply_counts_once() {
    for (heard, durable) in [(true, true), (false, true), (false, false)] {
        let (mut hub, mut a, mut b) = trio();
        propose(&mut hub, proposal(|_| {}));
        talk(&mut hub, &mut [&mut a, &mut b]);
        vote(&mut a, Vote::For);
        if durable {
            a.settle();
        }
        if heard {
            say(&mut hub, &mut a);
            hub.settle();
        }
        a.restart();
        a.polls.clear();
        a.reconnect(&mut hub, 11);
        talk(&mut hub, &mut [&mut a, &mut b]);
        // A vote that was not durable was never given: the application is asked again.
        assert_eq!(a.polls.len(), usize::from(!durable));
        if !durable {
            vote(&mut a, Vote::Against);
            talk(&mut hub, &mut [&mut a, &mut b]);
        }
        vote(&mut b, Vote::For);
        talk(&mut hub, &mut [&mut a, &mut b]);
        let decided = decision(&mut hub);
        assert_eq!(decided.votes.len(), 2);
        let expected = if durable {
            Verdict::Approved
        } else {
            Verdict::Rejected
        };
        assert_eq!(decided.verdict, expected);
    }
}

#[test]
fn a_hub_whose_disk_was_rolled_back_is_told_the_same_again_without_asking() {
    let (mut hub, mut a, mut b) = trio();
    let backup = hub.disk.image();
    propose(&mut hub, that_writes("plan", put(1)));
    talk(&mut hub, &mut [&mut a, &mut b]);
    for agent in [&mut a, &mut b] {
        let asked = vote(agent, Vote::For);
        talk(&mut hub, &mut [agent]);
        assert_eq!(counted(agent, asked), Ok(()));
    }
    assert_eq!(decision(&mut hub).verdict, Verdict::Approved);
    hub.disk.restore(backup);
    hub.restart();
    a.polls.clear();
    // One of them is not even the same run any more.
    a.restart();
    meet_again(&mut hub, &mut a, &mut b);
    propose(&mut hub, that_writes("plan", put(1)));
    talk(&mut hub, &mut [&mut a, &mut b]);
    assert_eq!(decision(&mut hub).verdict, Verdict::Approved);
    assert!(a.polls.is_empty(), "the application was asked twice");
    let changed = vote(&mut a, Vote::Against);
    let refused = counted(&mut a, changed).unwrap_err();
    assert!(refused.contains("has voted for"), "{refused}");
}

#[test]
fn a_lost_reply_is_asked_for_again() {
    let (mut hub, mut a, b) = trio();
    propose(&mut hub, proposal(|_| {}));
    deliver(&mut hub, &mut a, is_poll);
    let asked = vote(&mut a, Vote::For);
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut a, |_| false);
    a.pass(Duration::from_secs(1));
    assert!(!a.said.iter().any(|m| is_vote(&m.body)), "it has time");
    a.pass(Duration::from_secs(9));
    let told = counted(&mut a, asked).unwrap_err();
    assert!(told.contains("is kept and will be sent"), "{told}");
    assert!(a.said.iter().any(|m| is_vote(&m.body)));
    say(&mut hub, &mut a);
    deliver(&mut hub, &mut a, |_| true);
    a.pass(Duration::from_secs(20));
    assert!(!a.said.iter().any(|m| is_vote(&m.body)), "it was confirmed");
    assert_eq!(
        cast(&mut hub, b.session.unwrap(), Vote::For),
        Some(VoteOutcome::Counted)
    );
}
