//! One target, under libFuzzer: the one that this program is called.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| (chatd_fuzz::target(env!("CARGO_BIN_NAME")).run)(bytes));
