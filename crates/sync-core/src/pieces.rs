//! An item that may be larger than a frame, cut into pieces and put together again.

use bincode::{BorrowDecode, Encode};
use bytes::Bytes;

use crate::codec;
use crate::error::DecodeError;

/// No item is larger than this in bytes: half of what may wait for one peer by default, so that one
/// large answer does not pass for a peer that stopped reading.
pub const WHOLE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The bytes of `item` in pieces of at most `page` bytes that share one allocation; at least one.
///
/// # Errors
/// The number of bytes, if they are more than [`WHOLE_BYTES_MAX`].
pub fn cut<T: Encode>(item: &T, page: usize) -> Result<Vec<Bytes>, usize> {
    let whole = codec::to_bytes(item);
    if whole.len() > WHOLE_BYTES_MAX {
        return Err(whole.len());
    }
    let starts = (0..whole.len()).step_by(page.max(1));
    let piece = |start: usize| whole.slice(start..whole.len().min(start + page.max(1)));
    Ok(starts.map(piece).collect())
}

/// Which piece of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "as messages number them")]
pub struct Piece {
    /// Names the item.
    pub of: u64,
    /// This piece, from 0.
    pub index: u32,
    /// How many there are.
    pub count: u32,
}

/// What has arrived of one item. Pieces come in order; if one was lost nothing comes of the item,
/// and whoever waits for it asks again.
#[derive(Debug, Default)]
pub struct Pieces {
    of: u64,
    next: u32,
    whole: Vec<u8>,
}

impl Pieces {
    /// Takes a piece. The item, if this was its last one.
    pub fn take<T>(
        &mut self,
        what: &'static str,
        piece: Piece,
        bytes: &[Bytes],
    ) -> Result<Option<T>, DecodeError>
    where
        T: for<'a> BorrowDecode<'a, ()>,
    {
        let [bytes] = bytes else {
            return Err(malformed(what, "a piece is one run of bytes"));
        };
        if piece.index >= piece.count {
            return Err(malformed(what, "a piece follows the last one"));
        }
        if piece.count == 1 {
            return codec::from_bytes(what, bytes).map(Some);
        }
        if piece.index == 0 {
            *self = Self {
                of: piece.of,
                ..Self::default()
            };
        }
        if piece.of != self.of || piece.index != self.next {
            return Ok(None);
        }
        if self.whole.len() + bytes.len() > WHOLE_BYTES_MAX {
            *self = Self::default();
            return Err(malformed(what, "it is larger than any may be"));
        }
        self.next += 1;
        self.whole.extend_from_slice(bytes);
        if self.next < piece.count {
            return Ok(None);
        }
        let whole = std::mem::take(self).whole;
        codec::from_bytes(what, &whole).map(Some)
    }
}

fn malformed(what: &'static str, reason: &str) -> DecodeError {
    DecodeError::Malformed {
        what,
        offset: 0,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(of: u64, index: u32, count: u32) -> Piece {
        Piece { of, index, count }
    }

    /// Feeds what it is told and returns what came whole.
    fn feed(pieces: &mut Pieces, from: &[Bytes], order: &[(u64, u32)]) -> Vec<String> {
        let count = u32::try_from(from.len()).unwrap();
        let taken = order.iter().map(|(of, index)| {
            let bytes = std::slice::from_ref(&from[*index as usize]);
            pieces
                .take("a text", piece(*of, *index, count), bytes)
                .unwrap()
        });
        taken.flatten().collect()
    }

    #[test]
    fn what_was_cut_comes_together() {
        for page in [1, 3, 7, 1000] {
            let text = "state".repeat(9);
            let cut = cut(&text, page).unwrap();
            assert!(cut.iter().all(|p| !p.is_empty() && p.len() <= page));
            let order: Vec<_> = (0..).map(|i| (1, i)).take(cut.len()).collect();
            assert_eq!(feed(&mut Pieces::default(), &cut, &order), [text]);
        }
    }

    #[test]
    fn nothing_comes_of_an_item_with_a_gap() {
        let cut = cut(&"abcdef".to_owned(), 3).unwrap();
        assert_eq!(cut.len(), 3);
        let cases: [&[(u64, u32)]; 5] = [
            &[(1, 0), (1, 2)],
            &[(1, 1), (1, 2)],
            &[(1, 1), (1, 0), (1, 2)],
            &[(1, 0), (2, 1), (2, 2)],
            &[(1, 0), (1, 1), (2, 0), (1, 2)],
        ];
        for order in cases {
            let mut pieces = Pieces::default();
            assert!(feed(&mut pieces, &cut, order).is_empty(), "{order:?}");
            // And the next one is not harmed by it.
            let again = [(3, 0), (3, 0), (3, 1), (3, 1), (3, 2)];
            assert_eq!(feed(&mut pieces, &cut, &again), ["abcdef"], "{order:?}");
        }
    }

    #[test]
    fn one_that_is_too_large_is_neither_cut_nor_taken() {
        assert!(cut(&"x".repeat(WHOLE_BYTES_MAX), 1024).is_err());
        let mut pieces = Pieces::default();
        let bytes = [Bytes::from(vec![0; WHOLE_BYTES_MAX / 2 + 1])];
        let first = pieces.take::<String>("a text", piece(1, 0, 3), &bytes);
        assert_eq!(first, Ok(None));
        assert!(
            pieces
                .take::<String>("a text", piece(1, 1, 3), &bytes)
                .is_err()
        );
        assert!(pieces.whole.is_empty());
    }

    #[test]
    fn a_piece_that_cannot_be_is_refused() {
        let mut pieces = Pieces::default();
        let mut take = |piece, bytes: &[Bytes]| pieces.take::<u64>("a number", piece, bytes);
        assert!(take(piece(1, 0, 0), &[Bytes::new()]).is_err());
        assert!(take(piece(1, 2, 2), &[Bytes::new()]).is_err());
        assert!(take(piece(1, 0, 1), &[]).is_err());
        assert!(take(piece(1, 0, 1), &[Bytes::new(), Bytes::new()]).is_err());
    }
}
