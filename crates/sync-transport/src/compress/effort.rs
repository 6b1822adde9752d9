//! Whether to try: a connection whose messages do not get smaller is left alone for longer and
//! longer.

/// Most messages in a row that are not tried. One in 65 then costs what all would, and a connection
/// whose messages change is found out within so many.
const SKIPS_MAX: u32 = 64;

/// Of one connection, direction and way of compressing. Starts by trying.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Effort {
    /// Messages still to be skipped.
    skips: u32,
    /// How many were skipped after the last failure; none after a success.
    after: u32,
}

impl Effort {
    /// Whether the next message is tried. To be asked once for each.
    pub(super) fn tries(&mut self) -> bool {
        let tries = self.skips == 0;
        self.skips = self.skips.saturating_sub(1);
        tries
    }

    /// Learns what became of a message that was tried.
    pub(super) fn learn(&mut self, paid: bool) {
        self.after = if paid {
            0
        } else {
            (self.after * 2).clamp(1, SKIPS_MAX)
        };
        self.skips = self.after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of the messages are tried, where `pays` says of each whether it would pay.
    fn tried(pays: impl Fn(usize) -> bool, count: usize) -> Vec<usize> {
        let mut effort = Effort::default();
        let mut tried = Vec::new();
        for message in 0..count {
            if effort.tries() {
                tried.push(message);
                effort.learn(pays(message));
            }
        }
        tried
    }

    #[test]
    fn messages_are_tried_as_it_pays() {
        type Case = (&'static str, fn(usize) -> bool, usize, Vec<usize>);
        let cases: [Case; 5] = [
            ("all pay", |_| true, 5, vec![0, 1, 2, 3, 4]),
            ("none pays", |_| false, 40, vec![0, 2, 5, 10, 19, 36]),
            ("one does not", |n| n != 1, 6, vec![0, 1, 3, 4, 5]),
            (
                "every other",
                |n| n % 2 == 0,
                6,
                vec![0, 1, 3, 6, 7, 9][..5].to_vec(),
            ),
            (
                "later all do",
                |n| n > 9,
                15,
                vec![0, 2, 5, 10, 11, 12, 13, 14],
            ),
        ];
        for (name, pays, count, mut expected) in cases {
            expected.retain(|message| *message < count);
            assert_eq!(tried(pays, count), expected, "{name}");
        }
    }

    #[test]
    fn what_never_pays_is_still_tried_now_and_then() {
        let tried = tried(|_| false, 10_000);
        assert!(tried.len() < 10_000 / 50, "{}", tried.len());
        let gaps = tried.windows(2).map(|pair| pair[1] - pair[0]);
        assert_eq!(gaps.max(), Some(SKIPS_MAX as usize + 1));
    }
}
