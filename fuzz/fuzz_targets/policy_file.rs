//! See `sync_fuzz_checks::policy_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sync_fuzz_checks::policy_file::check(bytes));
