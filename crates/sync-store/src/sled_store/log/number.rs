//! The numbers of sled's format: of one to nine bytes, by the first of them.

/// Takes a number off the front of `bytes`; none if they end before it does.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let (&first, rest) = bytes.split_first()?;
    let (number, rest) = match first {
        0..=240 => (u64::from(first), rest),
        241..=248 => {
            let (&low, rest) = rest.split_first()?;
            (240 + 256 * (u64::from(first) - 241) + u64::from(low), rest)
        }
        249 => {
            let (&[high, low], rest) = rest.split_first_chunk()?;
            (2_288 + 256 * u64::from(high) + u64::from(low), rest)
        }
        250.. => {
            let (low, rest) = rest.split_at_checked(usize::from(first) - 247)?;
            let mut number = [0; 8];
            number[..low.len()].copy_from_slice(low);
            (u64::from_le_bytes(number), rest)
        }
    };
    *bytes = rest;
    Some(number)
}

/// Takes as many bytes as the number in front of them says.
pub(super) fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take(bytes)?).ok()?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_up_to_the_longest() {
        let cases: [(&[u8], u64); 7] = [
            (&[0], 0),
            (&[240], 240),
            (&[241, 0], 240),
            (&[248, 255], 2_287),
            (&[249, 255, 255], 67_823),
            (&[250, 0xf0, 0x08, 0x01], 67_824),
            (&[255, 1, 0, 0, 0, 0, 0, 0, 0x80], (1 << 63) + 1),
        ];
        for (bytes, number) in cases {
            let mut rest = bytes;
            assert_eq!(take(&mut rest), Some(number));
            assert!(rest.is_empty());
            assert_eq!(take(&mut &bytes[..bytes.len() - 1]), None);
        }
        assert_eq!(take_bytes(&mut &[2, 7, 8, 9][..]), Some(&[7, 8][..]));
        assert_eq!(take_bytes(&mut &[200, 7][..]), None);
    }
}
