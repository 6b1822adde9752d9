//! Which versions the two ends speak.

use swarm_sync::{About, PROTOCOL_MAX, PROTOCOL_MIN};

use super::report::Check;

/// What one end speaks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Versions {
    program: &'static str,
    protocol: (u16, u16),
}

/// This program.
pub(super) const OWN: Versions = Versions {
    program: env!("CARGO_PKG_VERSION"),
    protocol: (PROTOCOL_MIN, PROTOCOL_MAX),
};

/// The hub let this end in, so that there is a version that both speak.
pub(super) fn compare(own: Versions, hub: &About) -> Check {
    let theirs = (hub.protocol_min, hub.protocol_max);
    let message = format!(
        "program {} here and {} at the hub, protocol {} here and {} at the hub",
        own.program,
        hub.program,
        range(own.protocol),
        range(theirs)
    );
    if own.program == hub.program && own.protocol == theirs {
        return Check::ok("versions", message);
    }
    let advice = "they get along; upgrade the older one before the other moves on";
    Check::warn("versions", format!("{message}: {advice}"))
}

fn range((min, max): (u16, u16)) -> String {
    if min == max {
        min.to_string()
    } else {
        format!("{min} to {max}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Verdict;

    #[test]
    fn only_what_differs_is_to_be_looked_at() {
        let own = Versions {
            program: "1.0.0",
            protocol: (1, 2),
        };
        for (program, min, max, verdict, words) in [
            (
                "1.0.0",
                1,
                2,
                Verdict::Ok,
                "protocol 1 to 2 here and 1 to 2",
            ),
            (
                "1.1.0",
                1,
                2,
                Verdict::Warn,
                "1.0.0 here and 1.1.0 at the hub",
            ),
            ("1.0.0", 2, 2, Verdict::Warn, "1 to 2 here and 2 at the hub"),
        ] {
            let hub = About {
                program: program.to_owned(),
                protocol_min: min,
                protocol_max: max,
                wall_ms: 0,
                drift_ms_max: 0,
            };
            let check = compare(own, &hub);
            assert_eq!(check.verdict, verdict, "{check:?}");
            assert!(check.message.contains(words), "{check:?}");
        }
    }
}
