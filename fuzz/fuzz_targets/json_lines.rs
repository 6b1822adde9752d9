//! See `sync_fuzz_checks::json_lines`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sync_fuzz_checks::json_lines::check(bytes));
