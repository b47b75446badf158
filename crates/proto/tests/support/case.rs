//! Cases as text.

use http_native_proto::{Config, Hardening, Leniency, Surplus};

/// Bytes, and how to feed them.
#[derive(Clone, Default)]
pub(crate) struct Case {
    pub(crate) client: bool,
    pub(crate) reference: bool,
    pub(crate) eof: bool,
    pub(crate) head: bool,
    pub(crate) connect: bool,
    pub(crate) config: Config,
    pub(crate) packets: Vec<Vec<u8>>,
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        out.push(match bytes.next() {
            Some(b's') => b' ',
            Some(b'r') => b'\r',
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'x') => {
                let digits = [bytes.next(), bytes.next()];
                digits.into_iter().flatten().fold(0, |value, digit| {
                    value * 16 + (digit as char).to_digit(16).unwrap_or(0) as u8
                })
            }
            Some(other) => other,
            None => b'\\',
        });
    }
    out
}

/// Reads a case: see `examples/trace.rs` for what it looks like.
pub(crate) fn parse(line: &str) -> Case {
    let mut case = Case::default();
    let (options, packets) = line.split_once(" : ").unwrap_or((line, ""));
    for word in options.split(' ') {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let number = || value.parse().expect("a number");
        match key {
            "server" => {}
            "client" => case.client = true,
            "lenient" => case.config.leniency = Leniency(number() as u16),
            "size" => case.config.max_header_size = number(),
            "fields" => case.config.max_headers = number(),
            "drop" => case.config.surplus = Surplus::Drop,
            "groups" => case.config.surplus = Surplus::DropGroups,
            "llhttp93" => case.config.llhttp_93 = true,
            "strict" => case.config.hardening = Hardening::Strict,
            "audit" => case.config.hardening = Hardening::Audit,
            "reference" => case.reference = true,
            "eof" => case.eof = true,
            "head" => case.head = true,
            "connect" => case.connect = true,
            other => panic!("no such option: {other}"),
        }
    }
    case.packets = packets.split(' ').map(unescape).collect();
    case
}
