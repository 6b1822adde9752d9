//! What the fuzz targets check, on stable: over every input of their corpora, and over thousands
//! of inputs near to those.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails as the test does"
)]

use std::fs;
use std::path::Path;

use sync_fuzz_checks::ALL;

/// Inputs near to those of one corpus.
const MUTATIONS: usize = 20_000;

/// Longer ones would not be inputs to learn from.
const INPUT_BYTES_MAX: usize = 16 * 1024;

/// The inputs of a corpus by name, so that every run is the same.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../corpus")
        .join(target);
    let listed = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = listed.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// xorshift64*
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).unwrap() % limit.max(1)
    }

    fn byte(&mut self) -> u8 {
        // The bytes that lengths, tags and numbers turn on come up more often.
        const SHARP: [u8; 12] = [0, 1, 2, 7, 8, 0x7f, 0x80, 250, 251, 252, 253, 255];
        match self.below(2) {
            0 => SHARP[self.below(SHARP.len())],
            _ => u8::try_from(self.below(256)).unwrap(),
        }
    }

    /// One of `inputs` with a few changes, some of them taken from another.
    fn near(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = inputs[self.below(inputs.len())].clone();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(9)).min(bytes.len());
            match self.below(5) {
                0 if at < bytes.len() => bytes[at] = self.byte(),
                1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                2 => bytes.truncate(at),
                3 => {
                    let byte = self.byte();
                    bytes.splice(at..end, [byte]);
                }
                _ => {
                    let other = &inputs[self.below(inputs.len())];
                    let from = self.below(other.len() + 1);
                    let to = (from + self.below(64)).min(other.len());
                    bytes.splice(at..end, other[from..to].iter().copied());
                }
            }
        }
        bytes.truncate(INPUT_BYTES_MAX);
        bytes
    }
}

#[test]
fn every_input_of_every_corpus_holds() {
    for (target, check) in ALL {
        let inputs = corpus(target);
        assert!(!inputs.is_empty(), "the corpus of {target} is missing");
        for input in &inputs {
            assert!(
                input.len() <= INPUT_BYTES_MAX,
                "an input of {target} is long"
            );
            check(input);
        }
    }
}

#[test]
fn inputs_near_to_a_corpus_hold() {
    for (target, check) in ALL {
        let inputs = corpus(target);
        let mut random = Random(0x5eed);
        for round in 0..MUTATIONS {
            let input = random.near(&inputs);
            let held = std::panic::catch_unwind(|| check(&input));
            assert!(held.is_ok(), "{target}, round {round}: {input:02x?}");
        }
    }
}
