#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| reinhardt_backends_fuzz::postcard::check(data));
