//! See `sync_fuzz_checks::pieces`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sync_fuzz_checks::pieces::check(bytes));
