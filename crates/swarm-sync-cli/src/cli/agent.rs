//! The arguments of `agent`.

use clap::Args;
use swarm_sync::AgentId;

use super::{DataArgs, SwarmArgs};

pub(super) const HELP: &str = r#"One JSON object per line in, one per line out with the same "id":
  {"id":1,"op":"set","key":"k","value":{"any":"JSON"}}     also "metadata":{…}
  {"id":2,"op":"add","key":"n","amount":42}
  {"id":3,"op":"insert","key":"s","element":"x"}           also remove
  {"id":4,"op":"put","key":"m","field":"f","value":1}      one field of a map; also unset
  {"id":5,"op":"get","key":"k"}                            also delete, version
  {"id":6,"op":"keys","pattern":"task_*"}
  {"id":7,"op":"sync","keys":["k","n"],"timeout_ms":5000}
  {"id":8,"op":"cursor"}                                   also digest, status
  {"id":9,"op":"delta","since":{"epoch":"…","revision":7}} or a bare revision
  {"id":10,"op":"watch","pattern":"task_*"}                also "from", as "since", or "start"
  {"id":11,"op":"unwatch","watch":1}                       the number that watch was answered
  {"id":12,"op":"explain","key":"k"}                       why it is what it is, and what holds
      for it; also policies, history (with "limit"), get with "at":REVISION,
      {"op":"knew","key":"k","write":"…"} and {"op":"diff","from":7,"to":9}, which is
      answered with "next" if there is more: ask again with its "from", "to", "after"
  {"id":13,"op":"cas","key":"k","expected":3,"value":1}    only if it is at that version, 0 if
      it must not exist; as the "expected" of a read, "VERSION@EPOCH:REVISION", it also holds
      only for the log it was read in; or "delete":true; "claim":"t" with its "token" for as
      long as that is claimed, which may stand in for "expected"
  {"id":14,"op":"claim","key":"t","lease_ms":30000}        answered with the "token" that renew
      (with "lease_ms") and release take; these four also "timeout_ms"
  {"id":15,"op":"memory","action":"store","namespace":"notes","key":"k","value":1}
      values kept at the hub beside the state, gone with it if "persistent":false; also
      get (with "default"), delete, list (with "pattern"), clear and stats
  {"id":16,"op":"flush","level":"hub"}                     or "disk": wait for own writes
  {"id":17,"op":"offline"}                                 also online
  {"id":18,"op":"wait"}                                    until once in step with the hub
  {"id":19,"op":"clear","key":"k"}                         or "all":true
  {"id":20,"op":"receipts","take":true}                    own writes that lost, and forget them
  {"id":21,"op":"repropose","write":"…"}                   one of them again; also ack_receipt,
      answered with "taken", false if no receipt of that write waits
  {"id":22,"op":"fate","write":"…"}                        where an own write is, or why it ended
  {"id":23,"op":"propose","proposal":"any JSON","key":"k","value":1,"threshold":0.66}
  {"id":24,"op":"vote","proposal_id":"…","vote":"for","reason":"…"}  or against, abstain
  {"id":25,"op":"quit"}                                    so does the end of stdin
The hub need not be there yet: writes are answered once they are on disk. A map
reads as an object. A write that is to wait takes "level": "disk", "hub", or "replicas"
with "replicas":2, so many other agents, each with it in its own store, be that a disk or
memory, and "timeout_ms"; from "hub" on it is answered with its "position",
"EPOCH:REVISION", which another agent's get takes as "at_least" to read no older state
(refused if the hub has lost that; a bare revision is one of the log that the agent is in).
One that lost meanwhile is not: it gets an error of kind "operation" that names the winner,
and comes back as a receipt.
A get says with "position" and "expected" what it was read at. A receipt says "value", "winner", "winning_value", "rule" and "why". Concurrent
values that a policy keeps are the "siblings" of a read.
propose has the roster vote and is answered with the decision. It also takes
"algorithm", "timeout_ms", for what approval writes to "key" instead of "value": "add",
"insert", "remove", "field" with "value", "unset", "delete":true; "sync":true to wait
until the connected agents hold it, and "proposal_id" to hear of one again. vote is on
what a proposal line of this run has told of, and stands with its reason; cut off, it
is kept and sent later, and answered at once with an error of kind "unavailable".
Lines with "event" come by themselves: ready first, then receipt for each own write that
lost a race, and for each watch change, compacted (only the last change of each key
follows), reload (everything follows anew) and watch-end, each with the "cursor" that
"from" takes; proposal for what this agent is to vote on, with its "proposal_id",
decided for what it came to, proposal-forgotten if the hub does not know that any more,
and proposals-missed if too many came to be told; refused if the hub does not have this
agent, with "message", and admitted once it has. If its store fails, what was asked and not done gets an error, the last
line is stopped, and the exit code 4. A line takes at most 4 MiB. At the end, own writes
get 2 s to reach a hub that is there; what does not reach it waits on disk for the next
start. SIGINT, SIGTERM and SIGHUP stop it in an orderly way, SIGHUP not under nohup.
An error is {"id":…,"ok":false,"error":{"kind":"…","message":"…"}}; the agent goes on.

Examples:
  printf '%s\n' '{"id":1,"op":"set","key":"k","value":42}' '{"id":2,"op":"flush"}' |
    swarm-sync agent --id agent-1 --json
  swarm-sync agent --hub 127.0.0.1:7420 --swarm team --id agent-1 --data ./agent-1 --json
  swarm-sync agent --id observer        a replica that nobody drives, until Ctrl-C"#;

#[derive(Debug, Args)]
pub(crate) struct AgentArgs {
    #[command(flatten)]
    pub(crate) at: SwarmArgs,
    /// Its name, of which there is one in a swarm; `hub` is the hub's own.
    #[arg(
        long,
        value_name = "NAME",
        env = "SWARM_SYNC_NAME",
        default_value = "agent-1",
        value_parser = AgentId::of_peer
    )]
    pub(crate) id: AgentId,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Send everything as it is, and be sent it so. Otherwise what gets clearly smaller with zstd is
    /// compressed, if the hub can read it.
    #[arg(long)]
    pub(crate) no_compression: bool,
    /// Take requests from stdin and answer on stdout, a JSON object per line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Start without connecting, until `{"op":"online"}`.
    #[arg(long, requires = "json")]
    pub(crate) offline: bool,
}
