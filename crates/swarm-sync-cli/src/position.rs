//! A position in a hub's log as text: what `watch` prints at its end and takes to go on.

use swarm_sync::{Cursor, Epoch, Revision, Since};

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
    fn what_is_no_position_is_refused() {
        for text in [
            "", ":", "x", "-1", "ff:", ":7", "xyz:7", "ff:7:", "ff:7:8:9", "start:7",
        ] {
            assert_eq!(parse(text), Err(EXPECTED.to_owned()), "{text}");
        }
    }
}
