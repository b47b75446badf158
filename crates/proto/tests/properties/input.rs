//! How a fuzzer's bytes are read: some options, then bytes of the wire, or of a program.

use http_native_proto::{Config, Hardening, Leniency, Surplus};

/// Bytes of options before the rest.
const HEADER: usize = 7;

/// What the bits of the options' first byte say.
pub struct Options;

impl Options {
    /// Two bits: the hardening's number.
    pub const HARDENING: u8 = 0;
    /// Two bits: the surplus's number.
    pub const SURPLUS: u8 = 2;
    pub const LLHTTP_93: u8 = 1 << 4;
    pub const HEAD: u8 = 1 << 5;
    pub const CONNECT: u8 = 1 << 6;
    pub const EOF: u8 = 1 << 7;
}

/// The options.
#[derive(Clone, Copy)]
pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) head: bool,
    pub(super) connect: bool,
    /// The peer closes its side at the end.
    pub(super) eof: bool,
    /// Responses that a client expects; 0 is always one more.
    pub(super) expected: u8,
    pub(super) cuts: u8,
    /// What is done about held heads: two bits each, in a circle.
    pub(super) switches: u8,
}

impl Setup {
    /// Reads the options off the front. `None` if there are too few bytes.
    pub(super) fn read(data: &[u8]) -> Option<(Self, &[u8])> {
        let (&[flags, lenient, more, size, fields, cuts, switches], rest) =
            data.split_first_chunk::<HEADER>()?;
        let setup = Self {
            config: config(flags, lenient, more, size, fields),
            head: flags & Options::HEAD != 0,
            connect: flags & Options::CONNECT != 0,
            eof: flags & Options::EOF != 0,
            expected: more >> 4,
            cuts,
            switches,
        };
        Some((setup, rest))
    }
}

pub(super) fn config(flags: u8, lenient: u8, more: u8, size: u8, fields: u8) -> Config {
    Config {
        hardening: match flags >> Options::HARDENING & 3 {
            1 => Hardening::Strict,
            2 => Hardening::Audit,
            _ => Hardening::Off,
        },
        surplus: match flags >> Options::SURPLUS & 3 {
            1 => Surplus::Drop,
            2 => Surplus::DropGroups,
            _ => Surplus::Refuse,
        },
        llhttp_93: flags & Options::LLHTTP_93 != 0,
        leniency: Leniency(u16::from(lenient) | u16::from(more & 7) << 8),
        max_header_size: match size {
            0 => 16 * 1024,
            size => u32::from(size),
        },
        max_headers: match fields {
            0 => 1000,
            255 => 0,
            fields => u32::from(fields),
        },
    }
}

/// A small generator (xorshift): the same cuts for the same byte.
pub(super) struct Cuts {
    state: u32,
    longest: u32,
}

impl Cuts {
    /// 0 cuts between all bytes.
    pub(super) fn new(seed: u8) -> Self {
        Self {
            state: u32::from(seed).wrapping_mul(0x9e37_79b9) | 1,
            longest: match seed {
                0 => 1,
                seed => 2 << (seed & 7),
            },
        }
    }

    /// The pieces of these bytes.
    pub(super) fn of(mut self, mut wire: &[u8]) -> impl Iterator<Item = &[u8]> {
        std::iter::from_fn(move || {
            if wire.is_empty() {
                return None;
            }
            self.state ^= self.state << 13;
            self.state ^= self.state >> 17;
            self.state ^= self.state << 5;
            let len = 1 + self.state % self.longest;
            let (piece, rest) = wire.split_at(wire.len().min(len as usize));
            wire = rest;
            Some(piece)
        })
    }
}
