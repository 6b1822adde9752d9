//! Publishing to a registry of one's choice.

use crate::fixture::Fixture;
use crate::registry::Registry;

fn fixture_with(address: &str) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.unset("CARGO_NET_OFFLINE");
    fixture.set("CARGO_NET_RETRY", "0");
    fixture.set(
        "CARGO_REGISTRIES_TEAM_INDEX",
        &format!("sparse+http://{address}/"),
    );
    fixture.set("CARGO_REGISTRIES_TEAM_TOKEN", "a token");
    fixture
}

#[test]
fn crates_are_published_in_their_order_and_what_stopped_goes_on() {
    let registry = Registry::start();
    let fixture = fixture_with(&registry.address());
    registry.refuse("beta");
    let (is_done, said) = fixture.release(&["minor", "--registry", "team", "--publish"]);
    assert!(!is_done, "{said}");
    for line in [
        "published alpha",
        "beta was not published to team; published are: alpha; not yet: beta",
        "the registry wants no beta",
        "go on with `cargo xtask release --publish --registry team`",
    ] {
        assert!(said.contains(line), "no `{line}` in: {said}");
    }
    // It is released all the same.
    assert_eq!(fixture.git(&["tag", "--list"]), "v0.2.0");
    assert!(fixture.read("Cargo.toml").contains("publish = false"));
    assert_eq!(registry.published(), ["alpha 0.2.0"]);

    registry.refuse("");
    let words = ["--registry", "team", "--publish"];
    let said = fixture.released(&[&words[..], &["--dry-run"]].concat());
    assert!(
        said.contains("would publish v0.2.0 to team, in this order: alpha, beta"),
        "{said}"
    );
    assert_eq!(registry.published(), ["alpha 0.2.0"]);
    let said = fixture.released(&words);
    assert!(
        said.contains("alpha was published in this version before: passed over"),
        "{said}"
    );
    assert_eq!(registry.published(), ["alpha 0.2.0", "beta 0.2.0"]);
}

#[test]
fn without_being_told_to_nothing_is_published() {
    let registry = Registry::start();
    let fixture = fixture_with(&registry.address());
    let said = fixture.released(&["minor", "--registry", "team"]);
    assert!(
        said.contains("all at once: `cargo xtask release --publish --registry team`"),
        "{said}"
    );
    assert_eq!(registry.published(), Vec::<String>::new());
}

#[test]
fn a_registry_that_is_unknown_or_out_of_reach_is_a_reason_to_stop() {
    // Nobody listens at a port that was given back.
    let address = Registry::start().address();
    let fixture = fixture_with(&address);
    fixture.refused(
        &["minor", "--registry", "nobody"],
        "packages cannot be made for the registry nobody",
    );
    let said = fixture.refused(
        &["minor", "--registry", "team"],
        "what they need could not be fetched",
    );
    assert!(said.contains(&address), "{said}");
}
