#![no_main]

#[path = "../checks/classify.rs"]
mod classify;

libfuzzer_sys::fuzz_target!(|data: &[u8]| classify::check(data));
