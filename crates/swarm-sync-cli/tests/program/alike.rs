//! Whether a key is there is not to be told from how long it takes to be refused it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use swarm_sync::{
    AgentId, Ask, Client, CoordinatorOptions, Key, LinkOptions, MemoryStore, Operation, PastAsk,
    StateSynchronizer, SwarmId, TcpCoordinator, TcpLink, Value, rights_file,
};
use tokio::sync::watch;

use crate::support::PATIENCE;

/// Questions of each kind, asked in turn: what else the machine does meets all alike.
const QUESTIONS: usize = 400;

/// The middle times may differ by so much of noise. What a lookup takes or does not is far less, and what a
/// read of the store would take, far more.
const NOISE: Duration = Duration::from_micros(150);

const RIGHTS: &str = r#"
[[right]]
agent = "admin"
allow = ["read", "write", "admin"]

[[right]]
agent = "narrow"
keys = "task_*"
allow = ["read"]
"#;

async fn client(address: &str, name: &str) -> Client {
    let link = TcpLink::new(address, LinkOptions::default());
    let swarm = SwarmId::new("team").expect("a name");
    let name = AgentId::new(name).expect("a name");
    let connected = Client::connect(&link, swarm, name, PATIENCE).await;
    connected.expect("let in")
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn assert_alike(mut middles: Vec<Duration>) {
    middles.sort_unstable();
    let (least, most) = (middles[0], middles[middles.len() - 1]);
    assert!(most <= least + NOISE.max(least / 2), "{middles:?}");
}

/// Bad input, row 16.
#[tokio::test]
async fn a_key_that_one_may_not_read_takes_as_long_as_one_that_is_not_there() {
    let options = CoordinatorOptions::default();
    let coordinator = TcpCoordinator::bind("127.0.0.1:0", options).await.unwrap();
    let address = coordinator.local_addr().to_string();
    let rights = Arc::new(rights_file::parse(RIGHTS).unwrap());
    let (_rights, in_force) = watch::channel(rights);
    let hub = StateSynchronizer::builder(Arc::new(MemoryStore::new()), Arc::new(coordinator));
    let hub = hub.rights(in_force).start().await.unwrap();
    let secret = Key::new("secret").unwrap();
    let mut admin = client(&address, "admin").await;
    let value = Operation::Put(Value::from("x".repeat(100_000)));
    admin.write(secret, value, None).await.unwrap();

    let mut narrow = client(&address, "narrow").await;
    // There and forbidden, forbidden and not there, allowed and not there.
    let keys = ["secret", "absent", "task_absent"].map(|key| Key::new(key).unwrap());
    let mut gets = [(); 3].map(|()| Vec::new());
    let mut pasts = [(); 2].map(|()| Vec::new());
    for _ in 0..QUESTIONS {
        for (key, times) in keys.iter().zip(&mut gets) {
            let began = Instant::now();
            assert_eq!(narrow.get(key.clone()).await.unwrap(), None);
            times.push(began.elapsed());
        }
        for (key, times) in keys.iter().zip(&mut pasts) {
            let ask = Ask::Past(PastAsk::Explain(key.clone()));
            let began = Instant::now();
            narrow.ask(ask).await.unwrap_err();
            times.push(began.elapsed());
        }
    }
    assert_alike(gets.map(middle).to_vec());
    assert_alike(pasts.map(middle).to_vec());
    hub.shutdown().await;
}
