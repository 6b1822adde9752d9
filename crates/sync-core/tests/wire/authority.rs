//! Every request that the hub alone decides, with its answers and errors.

use sync_core::codec::List;
use sync_core::{
    Ask, Assignment, Attempt, AuthorityAnswer, AuthorityAsk, CommitOutcome, Current, Expectation,
    Incarnation, Lease, RequestError, Revision, Seen, Token, Version,
};

use super::bodies::EPOCH;
use super::{agent, key, value};

fn token() -> Token {
    Token::new(EPOCH, Revision::new(7))
}

pub(super) fn attempt() -> Attempt {
    Attempt {
        run: Incarnation::from_random(3),
        number: 2,
        answered: 1,
        again: true,
    }
}

pub(super) fn asks() -> Vec<Ask> {
    let attempt = attempt();
    let at = Seen {
        epoch: EPOCH,
        revision: Revision::new(4),
    };
    let expect = |key, at| Expectation::Version {
        key,
        version: Version::new(5),
        at,
    };
    let (key, token, lease_ms) = (|| key("claimed"), token(), 30_000);
    let asks = [
        AuthorityAsk::Commit {
            expect: List(vec![
                expect(key(), None),
                expect(key(), Some(at)),
                Expectation::Claim { key: key(), token },
            ]),
            assign: List(vec![
                Assignment {
                    key: key(),
                    value: Some(value()),
                },
                Assignment {
                    key: key(),
                    value: None,
                },
            ]),
            metadata: Some(value()),
        },
        AuthorityAsk::Claim {
            key: key(),
            lease_ms,
        },
        AuthorityAsk::Renew {
            key: key(),
            token,
            lease_ms,
        },
        AuthorityAsk::Release { key: key(), token },
    ];
    asks.map(|ask| Ask::Authority { attempt, ask }).into()
}

pub(super) fn answers() -> [AuthorityAnswer; 3] {
    let key = || key("claimed");
    [
        AuthorityAnswer::Committed(CommitOutcome {
            epoch: EPOCH,
            revision: Revision::new(9),
            versions: List(vec![(key(), Some(Version::new(6))), (key(), None)]),
        }),
        AuthorityAnswer::Claimed(Lease {
            key: key(),
            token: token(),
            lease_ms: 30_000,
        }),
        AuthorityAnswer::Released,
    ]
}

pub(super) fn errors() -> [RequestError; 6] {
    let current = Current {
        key: key("claimed"),
        expected: Version::new(5),
        version: Version::new(6),
        revision: Revision::new(9),
        value: Some(value()),
        omitted_bytes: Some(1 << 20),
    };
    [
        RequestError::Conflict {
            current: List(vec![current]),
        },
        RequestError::Claimed {
            key: key("claimed"),
            holder: agent("agent-1"),
            remaining_ms: 1_000,
        },
        RequestError::StaleToken {
            key: key("claimed"),
            token: token(),
            holder: Some(agent("agent-2")),
        },
        RequestError::ForeignToken {
            key: key("claimed"),
            token: token(),
        },
        RequestError::ClaimsPaused {
            remaining_ms: 1_000,
        },
        RequestError::Uncertain {
            refused: "conflict".to_owned(),
        },
    ]
}
