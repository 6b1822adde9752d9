//! A file of policies: it is refused with its lines, or the table in it is one.

use swarm_sync::policy_file::parse;

/// Reads `bytes` as a file.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let lines = text.lines().count().max(1);
    match parse(text) {
        Ok(policies) => {
            let fingerprint = policies.fingerprint();
            assert_eq!(fingerprint == 0, policies.is_empty());
        }
        Err(error) => {
            assert!(!error.flaws.is_empty());
            for flaw in &error.flaws {
                assert!(flaw.line <= lines + 1, "line {} of {lines}", flaw.line);
            }
        }
    }
}
