//! The JS thread: a program at random, and the end of each tick as in `binding/flush.rs` and `binding/lending.rs`.

mod events;
mod outcome;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http_native_proto::OutFraming;

use super::peer::Plan;
use super::{Progress, QUIET, Random, step};
use crate::net::batch::{ReadBuffer, read_buffer};
use crate::net::connection::Connection;
use crate::net::lending::Received;
use crate::net::message::{Block, Body, Head, Message};
use crate::net::shared::{Command, Shared};

/// How JavaScript ends the connection. Nothing is said behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    None,
    Shutdown,
    Close,
    Destroy,
    Reset,
}

/// A message whose body is not said to its end.
struct Saying {
    left: usize,
    last: bool,
}

pub(super) struct Script {
    connection: Arc<Connection>,
    shared: Arc<Shared>,
    plan: Arc<Plan>,
    progress: Arc<Progress>,
    random: Random,
    scratch: ReadBuffer,
    wrong: Vec<String>,
    /// Which things this program does: a bit each.
    does: u64,
    /// Things left to do at random before all is brought to its end.
    left: usize,
    /// It ends when all is answered.
    end: End,
    ended: End,
    /// Bytes that were known to count as taken when it did.
    promised: u64,
    marked: bool,
    /// All that was said.
    said: Vec<u8>,
    saying: Option<Saying>,
    /// Requests that came, and those of them that are to be answered.
    requests: usize,
    owed: VecDeque<usize>,
    /// A request that asks to leave HTTP is to be answered first.
    held: Option<usize>,
    /// The request that left HTTP, and what came behind it.
    left_http: Option<usize>,
    raw: Vec<u8>,
    asks: bool,
    awaits_drain: bool,
    awaits_rest: bool,
    awaits_lent: bool,
    lent: bool,
    eof: bool,
    closed: bool,
}

impl Script {
    pub(super) fn new(
        connection: Arc<Connection>,
        shared: Arc<Shared>,
        plan: Arc<Plan>,
        progress: Arc<Progress>,
        mut random: Random,
    ) -> Self {
        use End::{Close, Destroy, None as Open, Reset, Shutdown};
        let choices = [Open, Shutdown, Shutdown, Close, Close, Destroy, Reset];
        let end = random.of(&choices);
        let left = random.below(30);
        let does = random.next() | 1;
        Self {
            connection,
            shared,
            plan,
            progress,
            random,
            scratch: read_buffer(),
            wrong: Vec::new(),
            does,
            left,
            end,
            ended: End::None,
            promised: 0,
            marked: false,
            said: Vec::new(),
            saying: None,
            requests: 0,
            owed: VecDeque::new(),
            held: None,
            left_http: None,
            raw: Vec::new(),
            asks: false,
            awaits_drain: false,
            awaits_rest: false,
            awaits_lent: false,
            lent: false,
            eof: false,
            closed: false,
        }
    }

    /// Plays until nothing comes any more.
    pub(super) fn play(&mut self) {
        let progress = Arc::clone(&self.progress);
        let mut rounds = 0;
        while rounds < QUIET {
            let before = progress.now();
            // A turn of this thread, and then of each other.
            loop {
                self.tick();
                step();
                let now = progress.now();
                if now.moves != before.moves {
                    rounds = 0;
                    break;
                }
                if now.io_turns > before.io_turns && now.peer_turns > before.peer_turns {
                    rounds += 1;
                    break;
                }
            }
        }
    }

    fn tick(&mut self) {
        if self.progress.signaled.swap(false, Ordering::SeqCst) {
            self.take_events();
        }
        if self.lent {
            self.read_lent();
        }
        if !self.closed {
            self.act();
        }
        if self.asks && !self.closed {
            self.asks = false;
            self.marked = true;
            if self.connection.write_now() {
                self.awaits_drain = false;
            }
        }
        if std::mem::take(&mut self.marked) && !self.closed {
            self.flush();
        }
    }

    // What JavaScript does.

    fn act(&mut self) {
        if self.left == 0 {
            self.bring_to_its_end();
            return;
        }
        for _ in 0..=self.random.below(3) {
            self.left = self.left.saturating_sub(1);
            self.do_something();
            self.progress.moved();
        }
    }

    fn do_something(&mut self) {
        let mut choice = self.random.below(14);
        while self.does & 1 << choice == 0 {
            choice = self.random.below(14);
        }
        match choice {
            0..=3 => self.answer(),
            4 => self.decide(),
            5 | 6 => {
                let asks = self.random.once_in(2);
                if self.connection.take(0, asks) != 0 {
                    self.awaits_drain = true;
                    self.asks |= asks;
                    self.marked = true;
                }
            }
            7 if !self.connection.has_room() => {
                self.awaits_drain = true;
                self.marked = true;
            }
            8 => self.awaits_rest |= self.connection.is_working(),
            9 => {
                self.connection.pause();
                self.marked = true;
            }
            10 => {
                self.connection.resume();
                self.marked = true;
            }
            11 => self.ask_loan(),
            12 => self.end_loan(),
            _ if self.random.once_in(8) => self.end(self.end),
            _ => {}
        }
    }

    /// Answers all that comes, and then ends the connection as was decided.
    fn bring_to_its_end(&mut self) {
        if self.connection.is_paused() {
            self.connection.resume();
            self.marked = true;
            self.progress.moved();
        }
        if self.ended != End::None {
            return;
        }
        if self.held.is_some() {
            self.decide();
        } else if !self.owed.is_empty() || self.saying.is_some() {
            self.answer();
        } else if self.has_heard_all() {
            // A peer that has ended its side is left, as by core's server.
            let end = if self.eof && self.end == End::None {
                End::Close
            } else {
                self.end
            };
            if end == End::None {
                return;
            }
            self.end(end);
        } else {
            return;
        }
        self.progress.moved();
    }

    fn has_heard_all(&self) -> bool {
        let has_all = match self.left_http {
            Some(number) => self.raw.len() == self.plan.bytes.len() - self.plan.heads[number],
            None => self.requests == self.plan.heads.len(),
        };
        (has_all && (self.eof || !self.plan.ends)) || (self.plan.drops && self.eof)
    }

    fn end(&mut self, end: End) {
        if self.ended != End::None {
            return;
        }
        match end {
            End::None => return,
            End::Shutdown => self.connection.shutdown(false),
            End::Close => self.connection.close(),
            End::Destroy => {
                self.promised = self.connection.taken();
                self.connection.destroy(false);
            }
            End::Reset => self.connection.reset(),
        }
        self.ended = end;
        self.marked = true;
    }

    /// Answers a request that asks to leave HTTP.
    fn decide(&mut self) {
        let Some(number) = self.held else { return };
        let leaves = self.owed.len() == 1 && self.saying.is_none() && self.random.once_in(3);
        self.held = None;
        self.marked = true;
        self.connection.upgrade(leaves);
        if leaves && self.ended == End::None {
            self.owed.clear();
            let answer = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";
            self.connection.write_raw(Body::Copied(answer));
            self.said.extend_from_slice(answer);
        }
        if leaves {
            self.left_http = Some(number);
        }
    }

    /// Says an answer, or a part of one.
    fn answer(&mut self) {
        if self.ended != End::None {
            return;
        }
        if self.left_http.is_some() && self.owed.is_empty() && self.saying.is_none() {
            let bytes = self.fresh(10);
            self.connection.write_raw(Body::Copied(&bytes));
            self.marked = true;
            return;
        }
        let mut head = String::new();
        let mut whole = 0;
        if self.saying.is_none() {
            if self.owed.front().is_none() || self.owed.front() == self.held.as_ref() {
                return;
            }
            self.owed.pop_front();
            let sizes = [0, 2, 500, 5000, 20_000, 20_000, 100_000, 300_000];
            let known = if self.random.once_in(4) {
                sizes.len()
            } else {
                5
            };
            whole = self.random.of(&sizes[..known]);
            head = format!("HTTP/1.1 200 OK\r\nContent-Length: {whole}\r\n\r\n");
            self.said.extend_from_slice(head.as_bytes());
            self.saying = Some(Saying {
                left: whole,
                last: self.end == End::Close && self.random.once_in(8),
            });
        }
        let Some(saying) = self.saying.take() else {
            return;
        };
        let len = if self.random.once_in(3) {
            saying.left / 2
        } else {
            saying.left
        };
        let bytes = self.fresh(len);
        let body = match self.random.below(4) {
            0 => Body::Owned(Bytes::from(bytes)),
            1 | 2 if len >= 16 * 1024 => Body::Borrowed {
                bytes: Bytes::from(bytes),
                is_told: self.random.once_in(2),
            },
            _ => Body::Copied(&bytes),
        };
        let left = saying.left - len;
        let ends = left == 0;
        let head = if head.is_empty() {
            Head::None
        } else {
            let bytes = head.as_bytes();
            let framing = OutFraming::Length(whole as u64);
            Head::Final(Block { bytes, lines: 3 }, framing)
        };
        let message = Message {
            head,
            request_head: false,
            request_connect: false,
            body,
            end: ends.then_some(Block {
                bytes: b"",
                lines: 0,
            }),
            last: ends && saying.last,
            cork: false,
        };
        self.marked = true;
        if self.connection.send(message).is_err() {
            self.wrong.push("the answer is refused".to_owned());
        }
        if ends && saying.last {
            self.ended = End::Close;
        } else if !ends {
            self.saying = Some(Saying { left, ..saying });
        }
    }

    /// Bytes to say, which tell where in the output they are.
    fn fresh(&mut self, len: usize) -> Vec<u8> {
        let start = self.said.len();
        let bytes = (start..start + len).map(|at| (at % 251) as u8);
        let bytes: Vec<u8> = bytes.collect();
        self.said.extend_from_slice(&bytes);
        bytes
    }

    // The end of a tick.

    fn attend(&self) {
        let attend = Command::Attend(Arc::clone(&self.connection));
        self.shared.mailbox.deliver([attend]);
    }

    fn flush(&mut self) {
        if self.connection.is_asked_for() {
            self.connection.flush_from_js();
        }
        if !self.lent && !self.shared.mailbox.is_asleep() && self.random.once_in(2) {
            self.attend();
            return;
        }
        let done = self.connection.flush_from_js();
        if self.lent && !done {
            self.end_loan();
        } else if !done {
            self.attend();
        } else if !self.lent && self.random.once_in(4) {
            self.ask_loan();
        }
    }

    // Loans.

    fn ask_loan(&mut self) {
        if !self.lent && !self.awaits_lent {
            self.awaits_lent = self.connection.ask_loan();
            self.attend();
        }
    }

    fn end_loan(&mut self) {
        if std::mem::take(&mut self.lent) {
            self.connection.return_loan();
            self.attend();
        }
    }

    fn read_lent(&mut self) {
        let queue = Arc::clone(&self.shared.queue);
        match self.connection.receive_lent(&mut self.scratch, &queue) {
            Received::Events { .. } => self.take_events(),
            Received::Nothing => {}
            Received::Return => self.end_loan(),
        }
    }
}
