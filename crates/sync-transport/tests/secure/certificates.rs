//! Who is believed by a certificate, and who is not.

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, SanType, date_time_ymd,
};
use sync_core::id::SwarmId;
use sync_core::transport::Hello;
use sync_transport::tls::HubTls;

use crate::raw::disbelieved;
use crate::scene::{
    Scene, assert_serves, connect, connect_as, expired, hub, of_agent, of_hub, refused,
};
use crate::support::hello;

#[tokio::test]
async fn both_ends_are_who_their_certificates_say_and_messages_go_both_ways() {
    let scene = Scene::new();
    let (hub, _) = hub(scene.hub_files()).await;
    for name in ["agent-1", "A.b:c_d"] {
        let connection = connect(&hub, scene.agent_files(name), name).await.unwrap();
        assert_serves(&hub, connection, name).await;
    }
}

#[tokio::test]
async fn one_certificate_may_name_an_agent_of_several_swarms() {
    let scene = Scene::new();
    let (hub, _) = hub(scene.hub_files()).await;
    let issued = scene.issue("both", of_agent("other/agent-1"), |params| {
        let uri = "swarm-sync://team/agent-1".try_into().unwrap();
        params.subject_alt_names.push(SanType::URI(uri));
    });
    let files = scene.agent_with(Some(issued), None);
    let connection = connect(&hub, files, "agent-1").await.unwrap();
    assert_serves(&hub, connection, "agent-1").await;
}

/// Bad input, row 10.
#[tokio::test]
async fn a_forged_agent_id_is_refused_with_the_names_that_would_do() {
    let scene = Scene::new();
    let (hub, _) = hub(scene.hub_files()).await;
    let files = scene.agent_files("agent-1");
    let reason = refused(&hub, files.clone(), "agent-2").await;
    assert!(
        reason.contains("the certificate names team/agent-1, not team/agent-2"),
        "{reason}"
    );
    // It has done no harm to the one that it is of.
    let connection = connect(&hub, files, "agent-1").await.unwrap();
    assert_serves(&hub, connection, "agent-1").await;
}

#[tokio::test]
async fn a_certificate_with_many_long_names_is_refused_with_a_few_of_them() {
    let scene = Scene::new();
    let (hub, _) = hub(scene.hub_files()).await;
    let long = "n".repeat(100);
    let issued = scene.issue("many", of_agent("team/agent-1"), |params| {
        for number in 0..63 {
            let uri = format!("swarm-sync://{long}/{long}-{number}");
            params
                .subject_alt_names
                .push(SanType::URI(uri.try_into().unwrap()));
        }
    });
    let files = scene.agent_with(Some(issued), None);
    let reason = refused(&hub, files, "agent-2").await;
    assert!(
        reason.contains("the certificate names team/agent-1, ")
            && reason.contains(" and 60 more, not team/agent-2"),
        "{reason}"
    );
}

/// Bad input, row 16.
#[tokio::test]
async fn the_key_of_another_swarm_opens_nothing_here() {
    let scene = Scene::new();
    let (hub, _) = hub(scene.hub_files()).await;
    let other = Hello {
        swarm: SwarmId::new("other").unwrap(),
        ..hello("agent-1")
    };
    let refused = connect_as(&hub, scene.agent_files("agent-1"), &other).await;
    let reason = refused.unwrap_err().to_string();
    assert!(
        reason.contains("names team/agent-1, not other/agent-1"),
        "{reason}"
    );
}

/// Bad input, row 15.
#[tokio::test]
async fn an_agents_certificate_that_is_not_in_order_is_refused_with_the_reason() {
    let scene = Scene::new();
    let (hub, _) = hub(scene.hub_files()).await;
    let params = || of_agent("team/agent-1");
    let strangers = Scene::new();
    let cases = [
        (
            "expired",
            scene.issue("expired", params(), expired),
            "expired.pem, which has expired; issue a new one",
        ),
        (
            "self-signed",
            scene.self_signed("self", params()),
            "self.pem, which was signed by itself",
        ),
        (
            "of another CA",
            strangers.issue("theirs", params(), |_| {}),
            "theirs.pem; the hub's audit log says more",
        ),
        (
            "a hub's",
            scene.issue("as-hub", params(), |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }),
            "for another purpose",
        ),
        (
            "without a name",
            scene.issue("nameless", params(), |p| p.subject_alt_names.clear()),
            "names no agent",
        ),
    ];
    for (case, issued, words) in cases {
        let files = scene.agent_with(Some(issued), None);
        let reason = refused(&hub, files, "agent-1").await;
        assert!(reason.contains(words), "{case}: {reason}");
    }
    let nothing = scene.agent_with(None, None);
    let reason = refused(&hub, nothing, "agent-1").await;
    assert!(reason.contains("nobody without a certificate"), "{reason}");
}

#[tokio::test]
async fn a_hubs_certificate_that_is_not_in_order_is_refused_by_the_agent() {
    let scene = Scene::new();
    let agent = scene.agent_files("agent-1");
    let strangers = Scene::new();
    let other_name = scene.hub_files_with(|params| {
        let name = "hub.example".try_into().unwrap();
        params.subject_alt_names = vec![SanType::DnsName(name)];
    });
    let (other_name, _) = hub(other_name).await;
    let (theirs, _) = hub(strangers.hub_files()).await;
    let mut own = scene.hub_files();
    (own.certificate, own.key) = scene.self_signed("own", of_hub());
    let (own, _) = hub(own).await;
    let believed = format!(
        "not issued by the CA that this side believes; check --tls-ca, and that the certificate is of the same CA; \
         what this side believes is in {}",
        scene.ca_file.display()
    );
    for (case, hub, words) in [
        ("another name", other_name, "is not for 127.0.0.1"),
        ("another CA", theirs, &believed),
        ("self-signed", own, &believed),
    ] {
        let reason = refused(&hub, agent.clone(), "agent-1").await;
        assert!(reason.contains(words), "{case}: {reason}");
    }
    // With these a hub of ours does not start.
    let old = scene.hub_files_with(expired);
    let reason = disbelieved(&old, agent.clone()).await;
    assert!(
        reason.contains("the hub's certificate has expired"),
        "{reason}"
    );
    let as_agent = scene.hub_files_with(as_agent);
    let reason = disbelieved(&as_agent, agent).await;
    assert!(reason.contains("for another purpose"), "{reason}");
}

/// Makes it the certificate of an agent.
fn as_agent(params: &mut CertificateParams) {
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
}

/// What is made otherwise of a certificate.
type Change = fn(&mut CertificateParams);

#[tokio::test]
async fn a_hub_neither_starts_with_nor_takes_over_a_certificate_that_nobody_can_believe() {
    let scene = Scene::new();
    let (hub, tls) = hub(scene.hub_files()).await;
    let changes: [(Change, &str); 4] = [
        (expired, "has expired"),
        (
            |p| p.not_before = date_time_ymd(2999, 1, 1),
            "is not valid yet",
        ),
        (as_agent, "not the certificate of a hub"),
        (
            |p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            "the certificate of a CA",
        ),
    ];
    for (change, words) in changes {
        // In place of those that are in force.
        let files = scene.hub_files_with(change);
        for told in [HubTls::load(files).map(drop), tls.reload()] {
            let told = told.unwrap_err().to_string();
            assert!(told.contains("hub.pem: ") && told.contains(words), "{told}");
        }
        let agent = scene.agent_files("agent-1");
        let connection = connect(&hub, agent, "agent-1").await.unwrap();
        assert_serves(&hub, connection, "agent-1").await;
    }
    // One that does not say what it is for is for anything.
    HubTls::load(scene.hub_files_with(|params| params.extended_key_usages.clear())).unwrap();
    scene.hub_files();
    tls.reload().unwrap();
}
