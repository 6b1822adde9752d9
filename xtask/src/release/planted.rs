//! The bugs that are planted on purpose: no crate that is released may bring them with it.

use serde_json::Value;

/// The feature that they are behind.
const FEATURE: &str = "__planted";

/// Why a crate could bring them without being asked for them by that name; by what `cargo metadata` says of it.
pub(super) fn flaw(member: &Value) -> Option<String> {
    let features = member["features"].as_object().into_iter().flatten();
    let mut leads = features.filter(|(feature, turned_on)| *feature != FEATURE && names(turned_on));
    if let Some((feature, _)) = leads.next() {
        return Some(format!(
            "its feature {feature:?} turns {FEATURE:?} on: only one of that same name may"
        ));
    }
    let dependencies = member["dependencies"].as_array().into_iter().flatten();
    let mut takes = dependencies.filter(|dependency| names(&dependency["features"]));
    takes.next().map(|dependency| {
        let used = dependency["name"].as_str().unwrap_or_default();
        format!("it takes {used} with the feature {FEATURE:?}: leave that out")
    })
}

/// Whether the feature is among these, that of another crate included.
fn names(features: &Value) -> bool {
    let mut features = features.as_array().into_iter().flatten();
    features.any(|feature| {
        let text = feature.as_str().unwrap_or_default();
        text.rsplit('/').next() == Some(FEATURE)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_crate_that_has_to_be_asked_for_bugs_by_name_is_released() {
        let features = json!({ "default": ["sled"], "__planted": ["sync-core/__planted"] });
        let dependencies = json!([{ "name": "sync-core", "features": ["testing"] }]);
        let member = json!({ "features": features, "dependencies": dependencies });
        assert_eq!(flaw(&member), None);
    }

    #[test]
    fn a_crate_that_brings_them_along_is_not() {
        let plain = json!([]);
        let by_default = json!({ "default": ["__planted"] });
        let by_another = json!({ "testing": ["sync-core?/__planted"], "__planted": [] });
        let takes = json!([{ "name": "sync-core", "features": ["__planted"] }]);
        for (features, dependencies, why) in [
            (by_default, &plain, "\"default\""),
            (by_another, &plain, "\"testing\""),
            (json!({}), &takes, "takes sync-core"),
        ] {
            let member = json!({ "features": features, "dependencies": dependencies });
            let told = flaw(&member).unwrap();
            assert!(told.contains(why), "{told}");
        }
    }
}
