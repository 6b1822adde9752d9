//! See `sync_fuzz_checks::message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sync_fuzz_checks::message::check(bytes));
