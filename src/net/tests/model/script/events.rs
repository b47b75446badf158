//! What the JS thread is told.

use std::io;

use http_native_proto::Role;

use super::super::{Fault, is_put_back};
use super::{End, SHORTEST, Script};
use crate::net::connection::{Batch, Event};
use crate::net::head_flags::{BODY, INFORMATIONAL, UPGRADE};

impl Script {
    pub(super) fn take_events(&mut self) {
        let mut batch = Batch::default();
        self.shared.queue.wake.taken();
        self.shared.queue.take(&mut batch);
        self.hear_all(&batch, false);
        if self.crowd.take() {
            self.progress.moved();
        }
        self.relieves = true;
    }

    /// Hears what was read, or with `given_back` what was parsed of bytes that JavaScript has given back.
    pub(super) fn hear_all(&mut self, batch: &Batch, given_back: bool) {
        for event in &batch.events {
            self.progress.moved();
            self.hear(event, batch, given_back);
            if self.connection.delivered(event.weight(), 0) {
                self.marked = true;
            }
        }
    }

    fn hear(&mut self, event: &Event, batch: &Batch, given_back: bool) {
        let is_tapped = self.tapped && !given_back && self.left_http.is_none();
        if is_tapped
            && matches!(self.ended, End::Destroy | End::Reset)
            && matches!(event, Event::Raw { .. } | Event::Eof { .. })
        {
            // As the socket, which is destroyed.
            return;
        }
        if self.closed && is_put_back(Fault::ToldEarly) {
            // That fault tells of the end twice.
            return;
        }
        if self.closed && !matches!(event, Event::Rest { .. }) {
            self.wrong.push("something behind CLOSED".to_owned());
        }
        match event {
            Event::Head { numbers, .. } if numbers[0] & INFORMATIONAL != 0 => {}
            Event::Head { numbers, text, .. } => {
                let is_client = self.plan.role == Role::Client;
                let sign = if is_client { "" } else { "/" };
                let target = format!("{sign}{}", self.requests);
                let text = batch.slice(text);
                if text.get(..numbers[3] as usize) != Some(target.as_bytes()) {
                    let text = String::from_utf8_lossy(text);
                    let wrong = format!("out of order: {text:?} instead of {target}");
                    self.wrong.push(wrong);
                }
                if numbers[0] & UPGRADE != 0 {
                    self.held = Some(self.requests);
                }
                if !is_client {
                    self.owed.push_back(self.requests);
                } else if numbers[0] & BODY == 0 {
                    self.answered += 1;
                }
                self.requests += 1;
            }
            Event::End { .. } if self.plan.role == Role::Client => self.answered += 1,
            Event::Data { payload, .. } if !b"hello".starts_with(batch.slice(payload)) => {
                // It may have come in pieces.
                let piece = batch.slice(payload);
                if !b"hello".windows(piece.len()).any(|part| part == piece) {
                    self.wrong.push("a body out of order".to_owned());
                }
            }
            Event::Raw { payload, .. } if is_tapped => {
                let bytes = batch.slice(payload).to_vec();
                self.receive(Some(&bytes));
            }
            Event::Raw { payload, .. } => self.raw.extend_from_slice(batch.slice(payload)),
            Event::Eof { .. } if is_tapped => self.receive(None),
            Event::Timeout { .. } if self.progress.passed() < SHORTEST => {
                self.wrong.push("TIMEOUT before its time".to_owned());
            }
            Event::Expired { .. } => self.expired = true,
            Event::ParseError { .. } if self.plan.drops => {}
            Event::ParseError { .. } => self.wrong.push("a message is cut".to_owned()),
            Event::Drain { .. } => {
                self.awaits_drain = false;
                self.awaits_taken = false;
            }
            Event::Rest { .. } => self.awaits_rest = false,
            Event::Lent { .. } => self.answer_loan(),
            Event::Eof { .. } => self.eof = true,
            Event::Closed { errno, .. } => {
                if *errno != 0 && !self.plan.drops {
                    self.wrong.push(format!("failed with {errno}"));
                }
                let gave_up = matches!(self.ended, End::Destroy | End::Reset | End::Surrender);
                if self.awaits_taken && !gave_up && self.connection.pending() == 0 {
                    self.wrong
                        .push("CLOSED, and nothing told that all was taken".to_owned());
                }
                self.closed = true;
                // The socket goes with the connection.
                self.take_from_set();
                if !self.has_peer_heard() {
                    self.wrong
                        .push("CLOSED, and the peer has not heard of it".to_owned());
                }
            }
            _ => {}
        }
    }

    /// True if the peer can know that the connection has ended: it gets what counts as taken before.
    pub(super) fn has_peer_heard(&self) -> bool {
        let Some(socket) = self.socket.upgrade() else {
            return true;
        };
        let is_ended =
            || matches!(socket.send(&[]), Err(error) if error.kind() == io::ErrorKind::BrokenPipe);
        self.shared.lingering() > 0 || is_ended()
    }
}
