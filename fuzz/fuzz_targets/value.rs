//! See `sync_fuzz_checks::value`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sync_fuzz_checks::value::check(bytes));
