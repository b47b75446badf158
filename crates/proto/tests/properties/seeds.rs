//! Where fuzzing begins: the cases of the tables, as the targets read them, and the words that they are made of.

use std::collections::BTreeSet;

use http_native_proto::{Config, METHODS};

use super::case::{Case, parse};
use super::forbidden::{ORDINARY, OVERLOOKED, REFUSED};
use super::properties::Options;
use super::table::rows;

/// Bytes of a packet in a program: their number is one byte.
const PACKET: usize = 255;

fn cases() -> Vec<Case> {
    let tables = [
        include_str!("../wire/cases/chunks.txt"),
        include_str!("../wire/cases/fields.txt"),
        include_str!("../wire/cases/framing.txt"),
        include_str!("../wire/cases/lenient.txt"),
        include_str!("../wire/cases/limits.txt"),
        include_str!("../wire/cases/llhttp_93.txt"),
        include_str!("../wire/cases/request_line.txt"),
        include_str!("../wire/cases/responses.txt"),
    ];
    let texts = tables
        .iter()
        .flat_map(|table| rows(table).map(|row| row.case));
    let refused = REFUSED.iter().map(|(_, case)| *case);
    let overlooked = OVERLOOKED.iter().map(|(_, case, _)| *case);
    let texts = texts.chain(refused).chain(overlooked);
    texts.chain(ORDINARY.iter().copied()).map(parse).collect()
}

/// The options of a case; `cuts` tells how it is cut.
fn header(case: &Case, cuts: u8) -> Vec<u8> {
    let config = &case.config;
    let mut flags =
        (config.hardening as u8) << Options::HARDENING | (config.surplus as u8) << Options::SURPLUS;
    for (is_set, flag) in [
        (config.llhttp_93, Options::LLHTTP_93),
        (case.head, Options::HEAD),
        (case.connect, Options::CONNECT),
        (case.eof, Options::EOF),
    ] {
        flags |= if is_set { flag } else { 0 };
    }
    let [lenient, more] = config.leniency.0.to_le_bytes();
    // Those of one byte; others are as without the option.
    let size = u8::try_from(config.max_header_size).unwrap_or(0);
    let is_default = config.max_headers == Config::default().max_headers;
    let fields = match config.max_headers {
        0 => u8::MAX,
        _ if is_default => 0,
        fields => u8::try_from(fields).unwrap_or(0),
    };
    vec![flags, lenient, more & 7, size, fields, cuts, 0]
}

/// Packets, what is decided about a switch, and an answer.
fn program(case: &Case, cuts: u8) -> Vec<u8> {
    let mut program = header(case, cuts);
    if case.client {
        program.push(6 | u8::from(case.head) << 4 | u8::from(case.connect) << 5);
    }
    for packet in case.packets.concat().chunks(PACKET) {
        program.extend_from_slice(&[0, packet.len() as u8]);
        program.extend_from_slice(packet);
    }
    program.extend_from_slice(&[cuts << 4 | 5, 4, 0x27, 0x39, 0x2b]);
    if case.eof {
        program.push(15);
    }
    program
}

/// The inputs with which a target begins.
pub(crate) fn of(target: &str) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (place, case) in cases().iter().enumerate() {
        let cuts = place as u8;
        let wire = case.packets.concat();
        let plain = [header(case, cuts), wire.clone()].concat();
        let is_own = match target {
            "request_head" | "server" => !case.client,
            "response_head" | "client" => case.client,
            _ => true,
        };
        if !is_own {
            continue;
        }
        match target {
            "request_head" | "response_head" => seeds.push(plain),
            "fast_path" => {
                let role = if case.client { 0x80 } else { 0 };
                seeds.push([vec![role], plain].concat());
            }
            "chunked_body" => {
                let mark = b"hunked\r\n\r\n";
                let at = wire.windows(mark.len()).position(|part| part == mark);
                if let Some(at) = at {
                    let mut setup = header(case, cuts);
                    setup[0] &= !Options::HEAD;
                    setup.extend_from_slice(&wire[at + mark.len()..]);
                    seeds.push(setup);
                }
            }
            "server" | "client" => seeds.push(program(case, cuts)),
            _ => {
                // A block, sent by the other side, and bytes that some messages are made from.
                let role = u8::from(case.client);
                let end = wire.windows(4).position(|part| part == b"\r\n\r\n");
                let head = &wire[..end.map_or(wire.len(), |at| at + 4)];
                seeds.push([&[role | 6, 0, u8::MAX], head].concat());
                seeds.push([&[role | 0x18 | (cuts & 1) << 6, cuts], wire.as_slice()].concat());
            }
        }
    }
    seeds
}

/// The words of a dictionary: methods, the pieces of lines, and line ends.
fn words() -> BTreeSet<Vec<u8>> {
    let mut words: BTreeSet<_> = METHODS
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    words.extend([
        b"\r\n".to_vec(),
        b"\r\n\r\n".to_vec(),
        b"0\r\n\r\n".to_vec(),
    ]);
    for case in cases() {
        for line in case.packets.concat().split(|&byte| byte == b'\n') {
            let line = line.trim_ascii();
            let is_word = |word: &&[u8]| (2..=24).contains(&word.len());
            words.extend(Some(line).filter(is_word).map(<[u8]>::to_vec));
            let parts = line.split(|&byte| byte == b' ').filter(is_word);
            words.extend(parts.map(<[u8]>::to_vec));
        }
    }
    words
}

/// The dictionary, as libFuzzer reads it.
pub(crate) fn dictionary() -> String {
    let mut lines = String::new();
    for word in words() {
        let escaped: String = word.iter().map(|byte| format!("\\x{byte:02x}")).collect();
        lines.push_str(&format!("\"{escaped}\"\n"));
    }
    lines
}
