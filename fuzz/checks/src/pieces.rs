//! Answers and receipts in pieces: any pieces in any order are refused, ignored or read; an item
//! that reads at all survives being cut.

use std::fmt::Debug;

use bincode::{BorrowDecode, Encode};
use bytes::Bytes;
use sync_core::codec::{self, List};
use sync_core::{Piece, Pieces, Receipt, Reply, pieces};

/// What it is called in errors.
const WHAT: &str = "an item";

/// Bytes before each piece: of what, which, of how many, and its length.
const HEAD_BYTES: usize = 4;

/// Reads `bytes` as a whole item of either kind, then as pieces of one, each behind a head.
pub fn check(bytes: &[u8]) {
    whole::<Reply>(bytes);
    whole::<List<Receipt>>(bytes);
    let mut replies = Pieces::default();
    let mut rest = bytes;
    while let Some((&[of, index, count, length], after)) = rest.split_first_chunk::<HEAD_BYTES>() {
        let (piece, after) = after.split_at(after.len().min(length.into()));
        rest = after;
        let number = Piece {
            of: of.into(),
            index: index.into(),
            count: count.into(),
        };
        let piece = [Bytes::copy_from_slice(piece)];
        if let Ok(Some(reply)) = replies.take::<Reply>(WHAT, number, &piece) {
            whole::<Reply>(&codec::to_bytes(&reply));
        }
    }
}

fn whole<T>(bytes: &[u8])
where
    T: Encode + for<'a> BorrowDecode<'a, ()> + PartialEq + Debug,
{
    let Ok(item) = codec::from_bytes::<T>(WHAT, bytes) else {
        return;
    };
    for page in [1, 100, usize::MAX] {
        let Ok(cut) = pieces::cut(&item, page) else {
            panic!("an item that was read is too large to be sent");
        };
        let count = u32::try_from(cut.len()).unwrap_or(u32::MAX);
        let mut pieces = Pieces::default();
        let mut read = None;
        for (index, bytes) in (0..count).zip(cut) {
            assert_eq!(read, None, "an item before its last piece");
            let piece = Piece {
                of: 1,
                index,
                count,
            };
            read = pieces.take::<T>(WHAT, piece, &[bytes]).unwrap_or_default();
        }
        assert_eq!(read.as_ref(), Some(&item), "in pieces of {page}");
    }
}
