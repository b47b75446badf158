#![no_main]

use http_native_proto_fuzz::properties;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| properties::request_head(data));
