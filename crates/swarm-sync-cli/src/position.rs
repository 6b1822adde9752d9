//! A position in a hub's log as text, as reads and `watch` print it, and versions that are bound to one.

use serde_json::{Map, Value as Json, json};
use swarm_sync::{Ack, Cursor, Epoch, Expected, Revision, Seen, Since, Version};

const EXPECTED: &str = "expected a revision, EPOCH:REVISION or EPOCH:REVISION:HEAD as an earlier watch printed it, or `start`";

/// `start`, a revision, or a cursor as [`text`] writes it.
pub(crate) fn parse(text: &str) -> Result<Since, String> {
    let revision = |text: &str| text.parse().map(Revision::new).map_err(|_| EXPECTED);
    let mut parts = text.split(':');
    let parts = (parts.next(), parts.next(), parts.next(), parts.next());
    Ok(match parts {
        (Some("start"), None, ..) => Since::START,
        (Some(number), None, ..) => {
            Since::Revision(revision(number.strip_prefix('r').unwrap_or(number))?)
        }
        (Some(epoch), Some(at), head, None) => {
            let epoch: Epoch = epoch.parse().map_err(|_| EXPECTED)?;
            let at = revision(at)?;
            let head = head.map_or(Ok(at), revision)?;
            Since::Cursor(Cursor {
                epoch,
                revision: at,
                head,
            })
        }
        _ => return Err(EXPECTED.to_owned()),
    })
}

const VERSION: &str = "expected a version, a whole number, 0 for a key that must not exist, and bound to the log it was read in VERSION@EPOCH:REVISION, as `get --json` prints it as \"expected\"";

/// A version, and the position it was read at as [`expected_text`] writes it.
pub(crate) fn parse_expected(text: &str) -> Result<Expected, String> {
    let (version, at) = match text.split_once('@') {
        None => (text, None),
        Some((version, at)) => (version, Some(at)),
    };
    let version = version.strip_prefix('v').unwrap_or(version).parse();
    let version = version.map(Version::new).map_err(|_| VERSION)?;
    match at.map(parse) {
        None => Ok(version.into()),
        // What was read may reach as far as the head that was there then.
        Some(Ok(Since::Cursor(cursor))) => {
            let (epoch, revision) = (cursor.epoch, cursor.head.max(cursor.revision));
            Ok(Expected::read_at(version, Seen { epoch, revision }))
        }
        Some(_) => Err(VERSION.to_owned()),
    }
}

/// What [`parse_expected`] takes; none if it is not bound to a position.
fn expected_text(expected: Expected) -> Option<String> {
    let at = since_text(expected.position()?.into());
    Some(format!("{}@{at}", expected.version().get()))
}

/// Hangs on an answer what can be handed back: where it was read, and the version bound to that.
pub(crate) fn hand_back(answer: &mut Map<String, Json>, expected: Expected) {
    let at = expected.position().map(|at| since_text(at.into()));
    answer.insert("position".to_owned(), json!(at));
    answer.insert("expected".to_owned(), json!(expected_text(expected)));
}

/// Hangs on an acknowledgement where the hub has the write, if it waited for that.
pub(crate) fn hand_back_written(answer: &mut Map<String, Json>, ack: &Ack) {
    if let Some(at) = ack.position() {
        answer.insert("position".to_owned(), json!(since_text(at.into())));
    }
}

/// `EPOCH:REVISION`, with the hub's last revision after it where that was another.
fn text(cursor: Cursor) -> String {
    let (epoch, at, head) = (cursor.epoch, cursor.revision.get(), cursor.head.get());
    if at == head {
        format!("{epoch}:{at}")
    } else {
        format!("{epoch}:{at}:{head}")
    }
}

/// Any position as text that [`parse`] takes.
pub(crate) fn since_text(since: Since) -> String {
    match since {
        Since::Cursor(cursor) => text(cursor),
        Since::START => "start".to_owned(),
        Since::Revision(revision) => revision.get().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_taken() {
        let Ok(epoch) = "00000000000000ff".parse::<Epoch>() else {
            panic!("16 digits are an epoch");
        };
        for (at, head, printed) in [(7, 7, "00000000000000ff:7"), (7, 9, "00000000000000ff:7:9")] {
            let cursor = Cursor {
                epoch,
                revision: Revision::new(at),
                head: Revision::new(head),
            };
            assert_eq!(text(cursor), printed);
            assert_eq!(parse(printed), Ok(Since::Cursor(cursor)));
        }
        assert_eq!(parse("start"), Ok(Since::START));
        assert_eq!(parse("17"), Ok(Since::Revision(Revision::new(17))));
        assert_eq!(parse("r17"), parse("17"));
    }

    #[test]
    fn a_version_is_taken_as_it_is_printed() {
        let Ok(epoch) = "00000000000000ff".parse::<Epoch>() else {
            panic!("16 digits are an epoch");
        };
        let revision = Revision::new(9);
        let bound = Expected::read_at(Version::new(3), Seen { epoch, revision });
        let printed = "3@00000000000000ff:9";
        assert_eq!(expected_text(bound).as_deref(), Some(printed));
        for text in [printed, "v3@00000000000000ff:9", "3@00000000000000ff:7:9"] {
            assert_eq!(parse_expected(text), Ok(bound), "{text}");
        }
        assert_eq!(parse_expected("3"), Ok(Version::new(3).into()));
        assert_eq!(expected_text(Expected::ABSENT), None);
        for text in [
            "", "@", "3@", "@7", "3@7", "3@start", "-1", "3@ff:x", "3@4@5",
        ] {
            assert_eq!(parse_expected(text), Err(VERSION.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_position_is_refused() {
        for text in [
            "", ":", "x", "-1", "ff:", ":7", "xyz:7", "ff:7:", "ff:7:8:9", "start:7",
        ] {
            assert_eq!(parse(text), Err(EXPECTED.to_owned()), "{text}");
        }
    }
}
