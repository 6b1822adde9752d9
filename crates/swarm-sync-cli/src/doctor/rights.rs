//! Do the rights of the hub let an agent in under this name? A command is let in whatever they say.

use std::time::Duration;

use swarm_sync::{Client, RequestError, Since, SwarmId};
use tokio::time::timeout;

use super::report::Check;
use crate::exit::Code;

/// Who asks, and as what it is to run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) name: &'a str,
    pub(super) swarm: &'a SwarmId,
    /// An agent is to run under this name, so that it is not enough to be let in as a command.
    pub(super) agent: bool,
}

/// Asks for what has changed since now, which takes the right that an agent needs.
pub(super) async fn look(client: &mut Client, asker: Asker<'_>, patience: Duration) -> Check {
    let asked = timeout(patience, async {
        let now = client.status().await?.revision;
        client.delta(Since::Revision(now)).await.map(|_| ())
    });
    let answered = asked.await.unwrap_or_else(|_| {
        Err(RequestError::Deadline {
            doing: "what the rights say".to_owned(),
            limit_ms: u64::try_from(patience.as_millis()).unwrap_or(u64::MAX),
        })
    });
    judge(asker, answered)
}

fn judge(asker: Asker<'_>, answered: Result<(), RequestError>) -> Check {
    let Asker { name, swarm, agent } = asker;
    match answered {
        Ok(()) => Check::ok(
            "rights",
            format!("an agent {name} of the swarm {swarm} would be let in, as would commands"),
        ),
        Err(RequestError::Forbidden { .. }) => {
            let message = format!(
                "the rights let no agent named {name} into the swarm {swarm}, only commands: an agent \
                 holds the whole swarm, so have `read` for all of its keys granted in the file that the \
                 hub has as --rights, and reload it"
            );
            if agent {
                Check::fail("rights", Code::NoHub, message)
            } else {
                Check::warn("rights", message)
            }
        }
        Err(error) => Check::warn(
            "rights",
            format!("what the rights of {name} are could not be asked: {error}; ask again"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Verdict;

    #[test]
    fn who_is_let_in_for_commands_only_fails_if_it_is_to_be_an_agent() {
        let swarm = SwarmId::new("team").unwrap();
        let asker = |agent| Asker {
            name: "a",
            swarm: &swarm,
            agent,
        };
        let forbidden = || {
            let doing = "read".to_owned();
            Err(RequestError::Forbidden { doing })
        };
        for (agent, answered, verdict) in [
            (false, Ok(()), Verdict::Ok),
            (true, Ok(()), Verdict::Ok),
            (false, forbidden(), Verdict::Warn),
            (true, forbidden(), Verdict::Fail),
        ] {
            assert_eq!(judge(asker(agent), answered).verdict, verdict);
        }
    }
}
