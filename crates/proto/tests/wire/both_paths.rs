//! The fast path and the reference machine cannot be told apart: heads put together at random from
//! ordinary and odd pieces, spoiled here and there, give the same through both.

use http_native_proto::{Config, Hardening, Row, Surplus};

use crate::support::case::Case;
use crate::support::trace::trace;

/// A small generator (xorshift): the same cases every time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    fn pick<'t>(&mut self, from: &[&'t [u8]]) -> &'t [u8] {
        from[self.below(from.len())]
    }

    /// Mostly the first.
    fn mostly<'t>(&mut self, from: &[&'t [u8]]) -> &'t [u8] {
        if self.below(8) == 0 {
            self.pick(from)
        } else {
            from[0]
        }
    }
}

const FIELDS: &[&[u8]] = &[
    b"Host: a",
    b"host: a,b",
    b"Host: [::1]:80",
    b"Expect: x-100-continue",
    b"A: b",
    b"A:",
    b"A:  ",
    b"A: \t b c \t ",
    b"A: \xe9",
    b"Connection: close",
    b"Connection: keep-alive",
    b"connection:close , x",
    b"Connection: upgrade",
    b"Upgrade: x",
    b"Upgrade:",
    b"Proxy-Connection: close",
    b"Content-Length: 3",
    b"content-length: 0",
    b"Content-Length: 18446744073709551615",
    b"Content-Length: 18446744073709551616",
    b"Content-Length: +3",
    b"Content-Length: 3 ",
    b"Content-Length:",
    b"Content-Length: 3\t",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: Chunked ",
    b"transfer-encoding: gzip",
    b"Transfer-Encoding: chunked\t",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding:",
    b"Transfer-Encoding: chunked, gzip",
    b"Expect: 100-continue",
    b"Expect:",
    b"A : b",
    b" A: b",
    b"A: b\r\n c",
    b"A",
    b": b",
    b"A: b\x01",
    b"A: b\x7f",
    b"A: b\0",
    b"A\xe9: b",
];

fn message(random: &mut Random, client: bool) -> Vec<u8> {
    let mut wire = Vec::new();
    wire.extend_from_slice(random.mostly(&[b"", b"\r\n", b"\n", b"\r", b" "]));
    let end: &[&[u8]] = &[b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"];
    if client {
        wire.extend_from_slice(random.mostly(&[
            b"HTTP/1.1 ",
            b"HTTP/1.0 ",
            b"HTTP/2.0 ",
            b"HTTP/1.1  ",
        ]));
        wire.extend_from_slice(
            random.mostly(&[b"200", b"204", b"304", b"100", b"101", b"099", b"20"]),
        );
        wire.extend_from_slice(random.mostly(&[
            b" OK",
            b"",
            b" ",
            b"  OK",
            b" O K ",
            b" \xe9",
            b" \x01",
            b" \t",
            b"\tOK",
            b" \xc3\xa9",
        ]));
    } else {
        wire.extend_from_slice(random.mostly(&[
            b"GET", b"POST", b"PUT", b"get", b"QUERY", b"SOURCE", b"CONNECT", b"PRI", b"DELETE",
            b"FOO",
        ]));
        wire.extend_from_slice(random.mostly(&[b" ", b"  ", b"\t"]));
        wire.extend_from_slice(random.mostly(&[
            b"/",
            b"*",
            b"/a?b#c",
            b"/^|\"<>`{}\\",
            b"a:80",
            b"http://a/",
            b"/\x7f",
            b"/\xc3\xa9",
            b"/\xff",
            b"?",
            b"",
        ]));
        wire.extend_from_slice(random.mostly(&[b" ", b"  ", b"\t"]));
        wire.extend_from_slice(random.mostly(&[
            b"HTTP/1.1",
            b"HTTP/1.0",
            b"HTTP/2.0",
            b"HTTP/1.2",
            b"",
        ]));
    }
    wire.extend_from_slice(random.mostly(end));
    for _ in 0..random.below(6) {
        wire.extend_from_slice(random.pick(FIELDS));
        wire.extend_from_slice(if random.below(20) == 0 {
            random.pick(end)
        } else {
            b"\r\n"
        });
    }
    if random.below(50) == 0 {
        wire.extend_from_slice(&b"A: b\r\n".repeat(60 + random.below(10)));
    }
    wire.extend_from_slice(if random.below(20) == 0 {
        random.pick(end)
    } else {
        b"\r\n"
    });
    wire.extend_from_slice(random.pick(&[b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"0\r\n\r\n"]));
    wire
}

#[test]
fn fast_and_reference_agree() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..40_000 {
        let client = random.below(3) == 0;
        let mut wire = Vec::new();
        for _ in 0..=random.below(3) {
            wire.extend(message(&mut random, client));
        }
        if random.below(3) == 0 {
            let at = random.below(wire.len());
            wire[at] = random.pick(&[b"\r", b"\n", b" ", b"\t", b":", b"\0", b"\xff", b"a"])[0];
        }
        let mut config = Config::default();
        if random.below(8) == 0 {
            config.max_header_size = 1 + random.below(60) as u32;
        }
        if random.below(8) == 0 {
            config.max_headers = 1 + random.below(5) as u32;
            config.surplus = [Surplus::Refuse, Surplus::Drop, Surplus::DropGroups][random.below(3)];
        }
        config.llhttp_93 = random.below(4) == 0;
        config.hardening = [Hardening::Off, Hardening::Strict, Hardening::Audit][random.below(3)];
        let mut case = Case {
            client,
            config,
            head: client && random.below(6) == 0,
            packets: vec![wire],
            ..Case::default()
        };
        let fast = trace(&case);
        case.reference = true;
        let text = String::from_utf8_lossy(&case.packets[0]).into_owned();
        assert_eq!(fast, trace(&case), "{text:?}");
        case.config.hardening = Hardening::Off;
        let off = trace(&case);
        let (said, noted) = fast.split_once("; noted ").unwrap_or((&fast, ""));
        let is_row = |row: &Row| said.contains(&format!("\"{}\" @", row.name()));
        let is_refused = Row::ALL.iter().any(is_row);
        // What strict lets through it reads as without it, but for the rows that it reads otherwise.
        if config.hardening == Hardening::Audit || (noted.is_empty() && !is_refused) {
            assert_eq!(said, off, "{text:?}");
        }
    }
}
