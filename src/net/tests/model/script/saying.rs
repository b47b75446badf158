//! What JavaScript says: a server's answers, a client's requests, and raw bytes.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use http_native_proto::{OutFraming, Role};

use super::{End, Saying, Script};
use crate::net::message::{Block, Body, Head, Message};

/// What bodies are made of, over and over.
const CYCLE: &[u8; 251] = &{
    let mut cycle = [0; 251];
    let mut at = 0;
    while at < 251 {
        cycle[at] = at as u8;
        at += 1;
    }
    cycle
};

impl Script {
    /// True if there is a message to begin: an answer that is owed, or the next request, whose turn it is when the one before
    /// is answered.
    fn begins(&mut self) -> bool {
        if self.plan.role == Role::Client {
            let begins = self.may_ask();
            self.asked += usize::from(begins);
            return begins;
        }
        if !self.may_answer() || self.owed.front() == self.held.as_ref() {
            return false;
        }
        self.owed.pop_front();
        true
    }

    /// True if an answer is owed, and not to be neglected: a peer that goes is heard of all the same.
    pub(super) fn may_answer(&self) -> bool {
        let hangs_up = self.plan.ends || self.plan.drops;
        let is_neglected = self.neglects && hangs_up && !self.eof;
        !self.owed.is_empty() && !is_neglected
    }

    pub(super) fn may_ask(&self) -> bool {
        let turn = self.asked + usize::from(self.expects);
        self.plan.role == Role::Client
            && self.left_http.is_none()
            && self.saying.is_none()
            && self.asked < self.plan.heads.len()
            && (self.asked == self.answered || (self.expects && turn == self.answered))
    }

    /// Tells of the next request before it is said: its answer may come first.
    pub(super) fn expect(&mut self) {
        if self.may_ask() && self.ended == End::None && !self.expects {
            self.expects = true;
            self.connection.expect(false, false, b"GET");
            self.plan.asked.fetch_max(self.asked + 1, Ordering::SeqCst);
            self.marked = true;
        }
    }

    /// Says an answer, or a part of one.
    pub(super) fn answer(&mut self) {
        if self.ended != End::None {
            return;
        }
        if self.left_http.is_some() && self.owed.is_empty() && self.saying.is_none() {
            let bytes = self.fresh(10);
            self.connection.write_raw(Body::Copied(&bytes));
            self.marked = true;
            self.put_at_random();
            return;
        }
        let mut head = String::new();
        let mut whole = 0;
        if self.saying.is_none() {
            if !self.begins() {
                return;
            }
            self.expects = false;
            let sizes = [0, 2, 500, 5000, 20_000, 20_000, 100_000, 300_000];
            let known = if self.ends_in_flight {
                // The kernel takes all of it.
                2
            } else if self.random.once_in(4) {
                sizes.len()
            } else {
                5
            };
            whole = self.random.of(&sizes[..known]);
            let line = match self.plan.role {
                Role::Server => "HTTP/1.1 200 OK",
                Role::Client => "POST / HTTP/1.1",
            };
            head = format!("{line}\r\nContent-Length: {whole}\r\n\r\n");
            self.said.extend_from_slice(head.as_bytes());
            self.saying = Some(Saying {
                left: whole,
                last: self.plan.role == Role::Server
                    && self.end == End::Close
                    && self.random.once_in(4),
            });
        }
        let Some(saying) = self.saying.take() else {
            return;
        };
        let len = if self.random.is_so(self.splits) {
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
            under_cork: false,
        };
        self.marked = true;
        if self.connection.send(message).is_err() {
            self.wrong.push("the answer is refused".to_owned());
        }
        self.put_at_random();
        // From here on the peer may know of it.
        self.plan.asked.fetch_max(self.asked, Ordering::SeqCst);
        if ends && saying.last {
            self.ended = End::Close;
        } else if !ends {
            self.saying = Some(Saying { left, ..saying });
        }
    }

    /// As with load, or without.
    fn put_at_random(&mut self) {
        if self.random.is_so(self.puts) {
            self.put();
        }
    }

    /// Bytes to say, which tell where in the output they are.
    pub(super) fn fresh(&mut self, len: usize) -> Vec<u8> {
        let start = self.said.len();
        let end = start + len;
        while self.said.len() < end {
            let at = self.said.len();
            let piece = &CYCLE[at % CYCLE.len()..];
            self.said
                .extend_from_slice(&piece[..piece.len().min(end - at)]);
        }
        self.said[start..].to_vec()
    }
}
