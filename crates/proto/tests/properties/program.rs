//! A connection under packets and commands in any order, beside a model that knows what each of them does to it.

use http_native_proto::{CloseReason, Connection, OutFraming, Role, SendError};

use super::heads::decide;
use super::input::{Setup, config};
use super::observer::{Observer, Place, Told};

/// Responses that a client remembers.
const MAX_EXPECTED: u32 = 32;

/// What may be sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sending {
    Idle,
    Body(OutFraming),
    Last,
    Detached,
}

struct Player {
    connection: Connection,
    observer: Observer,
    setup: Setup,
    /// Bytes that have come and are not told of.
    pending: Vec<u8>,
    sending: Sending,
    overdrawn: bool,
    close: Option<CloseReason>,
    /// The peer has closed its side.
    ended: bool,
    out: Vec<u8>,
}

/// Plays a program: one byte for each step, in its low half what is done, in its high half how.
pub(super) fn play(role: Role, data: &[u8]) {
    let Some((setup, mut program)) = Setup::read(data) else {
        return;
    };
    let mut player = Player {
        connection: Connection::new(role, setup.config),
        observer: Observer::new(),
        setup,
        pending: Vec::new(),
        sending: Sending::Idle,
        overdrawn: false,
        close: None,
        ended: false,
        out: Vec::new(),
    };
    while let Some((&step, rest)) = program.split_first() {
        program = rest;
        let was_raw = player.observer.place == Place::Raw;
        player.step(step & 15, step >> 4, &mut program);
        let is_raw = player.observer.place == Place::Raw;
        // Requests before the one that switches may still wait for their responses.
        if is_raw && !was_raw && (role == Role::Client || player.observer.outstanding == 0) {
            player.sending = Sending::Detached;
        }
        player.check();
    }
}

impl Player {
    fn step(&mut self, step: u8, how: u8, program: &mut &[u8]) {
        match step {
            0..=3 => self.packet(how, program),
            4 => self.pull(how),
            5 => self.switch(how),
            6 => self.expect(how),
            7 => self.head(how),
            8 => self.informational(how),
            9 | 10 => self.data(usize::from(how) * 17),
            11 | 12 => self.end(how),
            13 => self.answered(),
            14 => self.configure(program),
            _ => self.end_of_input(),
        }
    }

    /// Bytes come, as many as the next byte says; `how` many events are told of, 0 for all.
    fn packet(&mut self, how: u8, program: &mut &[u8]) {
        let Some((&len, rest)) = program.split_first() else {
            return;
        };
        let (packet, rest) = rest.split_at(rest.len().min(usize::from(len)));
        *program = rest;
        if self.ended {
            return;
        }
        if !self.pending.is_empty() {
            self.connection.begin_packet();
        }
        self.pending.extend_from_slice(packet);
        self.pull(how);
    }

    fn pull(&mut self, how: u8) {
        let bytes = std::mem::take(&mut self.pending);
        let mut input = bytes.as_slice();
        let limit = match how {
            0 => usize::MAX,
            how => usize::from(how),
        };
        for _ in 0..limit {
            let told = self
                .observer
                .pull(&mut self.connection, &self.setup, &mut input);
            if told != Told::Event {
                break;
            }
        }
        self.pending = input.to_vec();
        if self.observer.error.is_some() {
            self.pending.clear();
        }
    }

    fn switch(&mut self, how: u8) {
        if let Place::Held(_) = self.observer.place {
            decide(&mut self.connection, &mut self.observer, how & 3);
        } else {
            match how & 3 {
                0 | 1 => self.connection.accept_switch(),
                2 => self.connection.decline_switch(),
                _ => self.connection.accept_switch_after_body(),
            }
        }
    }

    fn expect(&mut self, how: u8) {
        if self.connection.role() == Role::Client {
            self.connection.expect_response(how & 1 != 0, how & 2 != 0);
            if self.observer.outstanding == MAX_EXPECTED {
                self.overdrawn = true;
            } else {
                self.observer.outstanding += 1;
            }
        }
    }

    /// What sending a head gives now.
    fn refuses_head(&self, is_good: bool) -> Result<(), SendError> {
        match self.sending {
            Sending::Body(_) => Err(SendError::OutOfOrder),
            Sending::Last | Sending::Detached => Err(SendError::Over),
            Sending::Idle if !is_good => Err(SendError::BadBlock),
            Sending::Idle => Ok(()),
        }
    }

    fn head(&mut self, how: u8) {
        let framing = match how & 3 {
            0 => OutFraming::None,
            1 => OutFraming::Length(34),
            2 => OutFraming::Chunked,
            _ => OutFraming::UntilClose,
        };
        let (block, lines, is_good) = block(how >> 2);
        let wanted = if std::mem::take(&mut self.overdrawn) {
            Err(SendError::TooManyOutstanding)
        } else {
            self.refuses_head(is_good)
        };
        let before = self.out.len();
        let sent = self
            .connection
            .send_head(block, lines, framing, &mut self.out);
        assert_eq!(sent, wanted, "a head");
        self.said(before, if sent.is_ok() { block } else { b"" });
        if sent.is_ok() {
            self.sending = Sending::Body(framing);
        }
    }

    fn informational(&mut self, how: u8) {
        let (block, lines, is_good) = block(how);
        let wanted = self.refuses_head(is_good);
        let before = self.out.len();
        let sent = self
            .connection
            .send_informational(block, lines, &mut self.out);
        assert_eq!(sent, wanted, "an informational head");
        self.said(before, if sent.is_ok() { block } else { b"" });
    }

    fn data(&mut self, len: usize) {
        let before = self.out.len();
        let wants = self.connection.begin_data(len, &mut self.out);
        let mut wanted = Vec::new();
        match self.sending {
            Sending::Body(OutFraming::Chunked) if len != 0 => {
                wanted = format!("{len:x}\r\n").into_bytes();
                assert!(wants);
            }
            Sending::Body(OutFraming::Length(_) | OutFraming::UntilClose) if len != 0 => {
                assert!(wants);
            }
            _ => assert!(!wants, "data that has no place"),
        }
        if wants {
            self.out.resize(self.out.len() + len, b'.');
            self.connection.finish_data(&mut self.out);
            wanted.resize(wanted.len() + len, b'.');
            if self.sending == Sending::Body(OutFraming::Chunked) {
                wanted.extend_from_slice(b"\r\n");
            }
        }
        self.said(before, &wanted);
    }

    fn end(&mut self, how: u8) {
        let (trailers, lines, is_good): (&[u8], _, _) = match how & 3 {
            0 | 1 => (b"", 0, true),
            2 => (b"A: b\r\n", 1, true),
            _ => (b"A: b\r\n\r\n", 2, false),
        };
        let last = how & 4 != 0;
        let wanted = match self.sending {
            Sending::Idle => Err(SendError::OutOfOrder),
            Sending::Last | Sending::Detached => Err(SendError::Over),
            Sending::Body(_) if !is_good => Err(SendError::BadBlock),
            Sending::Body(_) => Ok(()),
        };
        let before = self.out.len();
        let sent = self
            .connection
            .send_end(trailers, lines, last, &mut self.out);
        assert_eq!(sent, wanted, "an end");
        let Sending::Body(framing) = self.sending else {
            return self.said(before, b"");
        };
        if sent.is_err() {
            return self.said(before, b"");
        }
        match framing {
            OutFraming::Chunked => self.said(before, &[b"0\r\n", trailers, b"\r\n"].concat()),
            _ => self.said(before, b""),
        }
        self.sending = if last || framing == OutFraming::UntilClose {
            Sending::Last
        } else {
            Sending::Idle
        };
        if self.connection.role() == Role::Server {
            self.observer.outstanding = self.observer.outstanding.saturating_sub(1);
        }
    }

    fn answered(&mut self) {
        if self.connection.role() == Role::Server {
            self.connection.answered();
            self.observer.outstanding = self.observer.outstanding.saturating_sub(1);
            if let Sending::Body(_) = self.sending {
                self.sending = Sending::Idle;
            }
        }
    }

    /// Between messages: what was read by other limits may be beyond these.
    fn configure(&mut self, program: &mut &[u8]) {
        let Some((&[flags, lenient, more, size, fields], rest)) = program.split_first_chunk()
        else {
            return;
        };
        *program = rest;
        if self.observer.place == Place::Head && !self.connection.receiving() {
            self.setup.config = config(flags, lenient, more, size, fields);
            self.connection.configure(self.setup.config);
        }
    }

    /// As a driver does, which tells of it behind all bytes, and reads no more.
    fn end_of_input(&mut self) {
        if self.pending.is_empty() && !self.ended {
            self.ended = true;
            self.observer.end(&mut self.connection);
        }
    }

    /// What was appended is this.
    fn said(&self, before: usize, wanted: &[u8]) {
        assert_eq!(&self.out[before..], wanted, "other bytes are sent");
    }

    fn check(&mut self) {
        self.observer.agrees(&self.connection);
        let close = self.connection.must_close();
        // A reason stays; what is no HTTP has precedence.
        if close != Some(CloseReason::Failed) {
            assert!(
                self.close.is_none() || self.close == close,
                "another reason"
            );
        }
        self.close = close;
        assert_eq!(
            self.connection.is_answering(),
            self.sending != Sending::Idle,
            "{:?}",
            self.sending
        );
    }
}

/// A head, its lines, and whether it is one.
fn block(which: u8) -> (&'static [u8], u32, bool) {
    match which & 3 {
        0 | 1 => (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", 3, true),
        2 => (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", 4, false),
        _ => (b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", 3, false),
    }
}
