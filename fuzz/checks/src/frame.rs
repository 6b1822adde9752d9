//! The bytes of a connection: the same frames however they arrive, and no more memory than they
//! are worth.

use bytes::Bytes;
use sync_transport::testing::{Stream, hello_again};

/// Small, so that the limit is met by short inputs.
const FRAME_BYTES_MAX: usize = 4096;

/// The kind of a hello, as the wire numbers it.
const HELLO: u8 = 1;

/// Reads `bytes` as what follows a handshake.
pub fn check(bytes: &[u8]) {
    let whole = read(bytes, bytes.len().max(1));
    for step in [1, 7, 64] {
        assert_eq!(read(bytes, step), whole, "in steps of {step}");
    }
    let body: usize = whole.0.iter().map(|(_, body)| body.len()).sum();
    assert!(
        body <= bytes.len() * Stream::RATIO_MAX,
        "more came out than compression may hold"
    );
    for (kind, body) in whole.0 {
        assert!(body.len() <= FRAME_BYTES_MAX, "a frame over the limit");
        if kind == HELLO {
            reads_back(&body);
        }
    }
    // A hello must be reached without luck, too.
    reads_back(bytes);
}

/// What is a hello reads back from its shortest form.
fn reads_back(body: &[u8]) {
    if let Some(shortest) = hello_again(body) {
        assert_eq!(hello_again(&shortest), Some(shortest));
    }
}

/// The frames up to the first error, and the error.
fn read(bytes: &[u8], step: usize) -> (Vec<(u8, Bytes)>, Option<String>) {
    let mut stream = Stream::new(FRAME_BYTES_MAX);
    let mut frames = Vec::new();
    for piece in bytes.chunks(step) {
        match stream.read(piece) {
            Ok(more) => frames.extend(more),
            Err((more, error)) => {
                frames.extend(more);
                return (frames, Some(error.to_string()));
            }
        }
        assert!(
            stream.reserved() <= 2 * bytes.len() + Stream::STEP_BYTES_MAX,
            "{} bytes reserved for {}",
            stream.reserved(),
            bytes.len()
        );
    }
    (frames, None)
}
