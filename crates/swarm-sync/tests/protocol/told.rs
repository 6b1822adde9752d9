//! What an agent was told of votes, and what it has missed of it.

use std::sync::Arc;
use std::time::Duration;

use sync_core::{Body, ProposalId, Verdict, Vote};

use crate::ballots::{counted, decision, proposal, propose, vote};
use crate::stage::{AgentSide, talk, trio};

/// The agent hears of so many short votes under other ids, and how each ends if it is told.
fn hear_of_short_ones(agent: &mut AgentSide, count: u64, ended: Option<Verdict>) {
    let like = agent.polls[0].clone();
    for bits in 1_000..1_000 + count {
        let mut poll = like.clone();
        poll.proposal.id = ProposalId::from_random(bits);
        poll.remaining_ms = 1;
        let proposal = poll.proposal.id;
        agent.hear(Body::Proposal {
            poll: Arc::new(poll),
        });
        if let Some(verdict) = ended {
            agent.hear(Body::Decided { proposal, verdict });
        }
    }
}

#[test]
fn an_open_proposal_may_be_voted_on_however_many_have_passed_since() {
    for ended in [Some(Verdict::Timeout), None] {
        let (mut hub, mut a, mut b) = trio();
        propose(&mut hub, proposal(|p| p.timeout_ms = Some(3_600_000)));
        talk(&mut hub, &mut [&mut a, &mut b]);
        for _ in 0..2 {
            hear_of_short_ones(&mut a, 4_095, ended);
            a.mono += Duration::from_mins(2);
        }
        let asked = vote(&mut a, Vote::For);
        vote(&mut b, Vote::For);
        talk(&mut hub, &mut [&mut a, &mut b]);
        assert_eq!(counted(&mut a, asked), Ok(()));
        assert_eq!(decision(&mut hub).verdict, Verdict::Approved);
    }
}
