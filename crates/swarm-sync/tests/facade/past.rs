//! How a value came about, asked of a hub through every handle.

use swarm_sync::{Answer, Ask, LossReason, PastAsk, Revision, Since, Value};

use crate::support::{Race, Wire, flush, key, kind, race, team};

#[tokio::test]
async fn every_handle_tells_how_a_value_came_about() {
    for wire in Wire::both().await {
        let Race {
            hub,
            a,
            b,
            lost,
            won,
        } = race(&wire).await;
        let mut client = wire.client().await;
        let of_hub = hub.history(&team(), &key("k"), None, 16).await.unwrap();
        let of_client = client.history(&key("k"), None, 16).await.unwrap();
        let of_agent = b.history(&key("k"), None, 16).await.unwrap();
        assert_eq!(of_hub, of_client);
        assert_eq!(of_hub, of_agent);
        let losses: Vec<_> = of_hub.commits.iter().flat_map(|c| c.lost.iter()).collect();
        assert_eq!(losses.len(), 1);
        assert_eq!(losses[0].lost.write, lost);
        assert!(matches!(&losses[0].why, LossReason::Superseded { winner, .. } if *winner == won));

        let told = b.explain(&key("k")).await.unwrap();
        let text = told.sentences.join(" ");
        assert!(
            text.contains(&format!("lost against the concurrent {won}")),
            "{text}"
        );

        let last = of_hub.commits[0].revision;
        let at = Since::Revision(last);
        let state = client.get_state_at(&key("k"), at).await.unwrap();
        assert_eq!(state.value.value, Some(Value::from("late")));
        let before = Since::START;
        let state = hub.get_state_at(&team(), &key("k"), before).await.unwrap();
        assert_eq!((state.version, state.dropped), (None, None));

        let page = a.diff(Since::START, Some(at), None).await.unwrap();
        assert_eq!(page.changes.len(), 1);
        let became = page.changes[0].became.clone().and_then(|v| v.value);
        assert_eq!(became, Some(Value::from("late")));

        let knew = client.knew(&key("k"), &won, None).await.unwrap();
        assert!(knew.committed <= last);
    }
}

#[tokio::test]
async fn a_diff_of_many_pages_is_put_together_as_far_as_asked() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let [agent] = wire.agents::<1>().await;
    let mut client = wire.client().await;
    for n in 0..150 {
        agent.set(format!("k{n:03}").as_str(), n).await.unwrap();
        // It is in every page.
        agent.add("sum", 1).await.unwrap();
    }
    flush(&agent).await;
    let whole = client.diff_pages(Since::START, None, None, 100);
    let whole = whole.await.unwrap();
    assert_eq!((whole.changes.len(), whole.next), (151, None));
    let sum = whole.changes.iter().find(|change| change.key == key("sum"));
    let sum = sum.unwrap();
    let last = sum.became.clone().and_then(|became| became.value);
    assert_eq!(sum.was.clone().and_then(|was| was.value), None);
    assert_eq!(last, Some(Value::Int(150)));

    let part = agent.diff_pages(Since::START, None, None, 1).await.unwrap();
    let mut seen: Vec<_> = part.changes.0.into_iter().map(|c| c.key).collect();
    let next = part.next.expect("there is more");
    let (from, to) = (Since::Revision(next.from), Since::Revision(next.to));
    let team = team();
    let rest = hub.diff_pages(&team, from, Some(to), next.after, 100);
    let rest = rest.await.unwrap();
    assert_eq!(rest.next, None);
    seen.extend(rest.changes.0.into_iter().map(|c| c.key));
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 151, "nothing is missing");
}

#[tokio::test]
async fn what_cannot_be_told_is_an_error_that_says_why() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let [agent] = wire.agents::<1>().await;
    agent.set("k", 1).await.unwrap();
    flush(&agent).await;
    let ahead = Since::Revision(Revision::new(99));
    let state = hub.get_state_at(&team(), &key("k"), ahead).await;
    assert_eq!(kind(state), "ahead");
    let backwards = agent.diff(Since::Revision(Revision::new(1)), Some(Since::START), None);
    assert_eq!(kind(backwards.await), "invalid");
    agent.go_offline().await.unwrap();
    assert_eq!(kind(agent.explain(&key("k")).await), "unavailable");
    let unknown = hub.explain(&team(), &key("nobody")).await.unwrap();
    assert!(unknown.commits.is_empty());
}

/// Only asking about a name leaves no trace of it.
#[tokio::test]
async fn the_past_of_a_swarm_that_is_not_there_is_empty() {
    let wire = Wire::memory();
    let hub = wire.memory_hub().await;
    let nobody = swarm_sync::SwarmId::new("nobody").unwrap();
    let page = hub.history(&nobody, &key("k"), None, 1).await.unwrap();
    assert_eq!((page.commits.len(), page.dropped), (0, None));
    let page = hub.diff(&nobody, Since::START, None, None).await.unwrap();
    assert!(page.changes.is_empty());
    let mut client = wire.client().await;
    let ask = Ask::Past(PastAsk::Explain(key("k")));
    assert!(matches!(client.ask(ask).await, Ok(Answer::Past(_))));
}
