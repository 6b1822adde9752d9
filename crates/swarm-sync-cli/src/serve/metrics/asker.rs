//! Whose question it is: whoever measures is answered, a page that a browser shows is not. It must not read
//! here, neither from its own address nor under a name that its owner has made to stand for this machine.

use std::net::IpAddr;

/// A browser says where a page is from that asks elsewhere; nobody else says so.
const ORIGIN: &str =
    "pages of a browser are not answered here; ask without the header Origin, as Prometheus does\n";

/// Such a page asks under its own name, as it does not know that it is answered here.
const HOST: &str = "this is a loopback address, and it is not asked under a name that others may give it; ask \
     localhost, or the address itself\n";

/// Why a question is not answered; none if it is. Programs may leave `Host` out, no browser does.
pub(super) fn refusal(
    host: Option<&str>,
    has_origin: bool,
    on_loopback: bool,
) -> Option<&'static str> {
    if has_origin {
        return Some(ORIGIN);
    }
    let is_elsewhere = on_loopback && host.is_some_and(|host| !is_here(host));
    is_elsewhere.then_some(HOST)
}

/// Whether `host`, with or without a port, is an address or `localhost`: no name that somebody else gives.
fn is_here(host: &str) -> bool {
    let (name, after) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').unwrap_or((rest, "")),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = after.is_empty() || after.starts_with(':');
    is_port && (name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bad input, row 17.
    #[test]
    fn a_name_that_others_give_is_no_loopback_address() {
        for good in [
            "localhost",
            "LocalHost:7421",
            "127.0.0.1",
            "127.0.0.1:7421",
            "[::1]",
            "[::1]:7421",
        ] {
            assert_eq!(refusal(Some(good), false, true), None, "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "evil.example:7421",
            "127.0.0.1.evil.example",
            "localhost.evil.example:7421",
            "localhost@evil.example",
            "[::1].evil.example",
            "[evil.example]:7421",
            "::1",
        ] {
            assert_eq!(refusal(Some(bad), false, true), Some(HOST), "{bad}");
            // Where others reach it, names are how they do.
            assert_eq!(refusal(Some(bad), false, false), None, "{bad}");
        }
        assert_eq!(refusal(None, false, true), None, "no browser leaves it out");
    }

    /// Bad input, row 17.
    #[test]
    fn what_a_page_asks_is_refused_wherever_it_is_asked() {
        for on_loopback in [true, false] {
            for host in [None, Some("localhost"), Some("127.0.0.1:7421")] {
                assert_eq!(refusal(host, true, on_loopback), Some(ORIGIN));
            }
        }
    }
}
