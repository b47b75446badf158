//! Bytes to events: what proto makes of a packet, appended to the batch.

use std::time::Instant;

use http_native_proto as proto;
use proto::{BodyFraming, Event as Said};

use super::clock;
use super::connection::{Batch, Connection, Event};
use super::event::Payload;
use super::head_flags::{
    BODY, FRAMED, HAS_EXPECT, HAS_HOST, INFORMATIONAL, KEEP_ALIVE, NOTED, SURPLUS, UNTIL_CLOSE,
    UPGRADE,
};
use super::input::{Broken, Mode, Packet, overtakes};
use super::limits::EVENTS_A_CALL;
use super::state::State;
use super::stats::PLACES;
use crate::panics::{self, Place};

fn flag(condition: bool, bit: i32) -> i32 {
    if condition { bit } else { 0 }
}

fn surplus(fields: &proto::Fields<'_>) -> i32 {
    flag(fields.counted() < fields.len(), SURPLUS)
}

fn has_body(framing: BodyFraming) -> bool {
    !matches!(framing, BodyFraming::None | BodyFraming::Length(0))
}

fn version((major, minor): (u8, u8)) -> i32 {
    i32::from(major) << 8 | i32::from(minor)
}

/// The first line's free text followed by the fields, as JavaScript gets them.
fn pack(batch: &mut Batch, text: &[u8], fields: &proto::Fields<'_>) -> Payload {
    let start = batch.bytes.len();
    batch.bytes.extend_from_slice(text);
    fields.pack_into(&mut batch.bytes);
    Payload::Batch {
        start,
        len: batch.bytes.len() - start,
    }
}

fn request(id: u32, head: &proto::RequestHead<'_>, batch: &mut Batch) -> Event {
    let flags = flag(head.keep_alive, KEEP_ALIVE)
        | flag(has_body(head.body), BODY)
        | flag(head.switch, UPGRADE)
        | flag(head.has_expect, HAS_EXPECT)
        | flag(head.has_host, HAS_HOST)
        | flag(head.framed, FRAMED)
        | flag(head.noted, NOTED)
        | surplus(&head.fields);
    let text = pack(batch, head.target, &head.fields);
    Event::Head {
        id,
        response: false,
        numbers: [
            flags,
            i32::from(head.method.number()),
            version(head.version),
            head.target.len() as i32,
            head.fields.counted() as i32,
        ],
        text,
    }
}

fn response(id: u32, head: &proto::ResponseHead<'_>, batch: &mut Batch) -> Event {
    let flags = flag(head.keep_alive, KEEP_ALIVE)
        | flag(has_body(head.body), BODY)
        | flag(head.switch, UPGRADE)
        | flag(head.framed, FRAMED)
        | flag(head.informational, INFORMATIONAL)
        | flag(head.body == BodyFraming::UntilClose, UNTIL_CLOSE)
        | flag(head.noted, NOTED)
        | surplus(&head.fields);
    let text = pack(batch, head.reason, &head.fields);
    Event::Head {
        id,
        response: true,
        numbers: [
            flags,
            i32::from(head.status),
            version(head.version),
            head.reason.len() as i32,
            head.fields.counted() as i32,
        ],
        text,
    }
}

/// A message's trailers: their number, and their text if there are any.
fn packed(trailers: &proto::Fields<'_>, batch: &mut Batch) -> (u32, Option<Payload>) {
    let field_count = trailers.len();
    let text = (field_count > 0).then(|| pack(batch, b"", trailers));
    (field_count, text)
}

/// How far a packet was parsed.
enum Parsed {
    Whole,
    /// Its rest, from here on, must wait.
    UpTo(usize),
}

impl Connection {
    /// Parses what the JS stream of a driver two brought, or what comes back of a tapped connection, behind what waits;
    /// `None` at the end. True if as many events as one call gives were made and more is there: the caller asks again,
    /// with nothing.
    pub(crate) fn receive(&self, packet: Option<&[u8]>, batch: &mut Batch) -> bool {
        let mut state = self.lock();
        match packet {
            Some(packet) => {
                if !packet.is_empty() {
                    state.virgin = false;
                    if self.queue().is_none() {
                        self.stats.received(packet.len());
                        // What was over is forgotten: the peer goes on.
                        state.close_noted = None;
                    }
                }
                let now = clock::now();
                // What comes behind the end of what is accepted is dropped.
                if packet.is_empty() || state.metered.is_refused {
                    self.parse_waiting(&mut state, batch, now);
                } else {
                    self.parse_packet(&mut state, packet, batch, now);
                }
                self.has_more(&state, batch)
            }
            None => {
                // Of a socket, the driver has told.
                state.eof |= self.queue().is_none();
                self.parse_eof(&mut state, batch);
                false
            }
        }
    }

    /// Receives one packet of the socket.
    pub(super) fn receive_packet(
        &self,
        state: &mut State,
        packet: &[u8],
        batch: &mut Batch,
        now: Instant,
    ) {
        state.virgin = false;
        if state.tapped {
            batch.packet(packet.len(), now, |batch| self.raw(packet, batch));
        } else {
            self.parse_packet(state, packet, batch, now);
        }
    }

    /// Parses a packet behind what waits.
    fn parse_packet(&self, state: &mut State, packet: &[u8], batch: &mut Batch, now: Instant) {
        if state.input.is_empty() || overtakes() {
            // Where it was read: only what must wait is copied.
            if let Parsed::UpTo(at) = self.parse(state, packet, 0, batch, now) {
                state.input.put_back(Packet {
                    bytes: packet.to_vec(),
                    at,
                });
            }
        } else {
            state.input.push(packet);
            self.parse_waiting(state, batch, now);
        }
    }

    /// Parses what waits, packet by packet, as far as it may be parsed now.
    pub(super) fn parse_waiting(&self, state: &mut State, batch: &mut Batch, now: Instant) {
        while self.may_go_on(state, batch)
            && let Some(mut packet) = state.input.take()
        {
            if let Parsed::UpTo(at) = self.parse(state, &packet.bytes, packet.at, batch, now) {
                packet.at = at;
                state.input.put_back(packet);
                return;
            }
        }
    }

    /// True if the next event may be made. A stream's bytes are held back by JavaScript, or by how much one call gives.
    fn may_go_on(&self, state: &State, batch: &Batch) -> bool {
        if self.queue().is_none() || state.tapped {
            return batch.events.len() < EVENTS_A_CALL && !state.metered.is_refused;
        }
        state.may_parse() && self.has_window() && !self.is_held(state)
    }

    /// True if there is more for a caller that gets events one call at a time.
    pub(super) fn has_more(&self, state: &State, batch: &Batch) -> bool {
        !state.input.is_empty() && batch.events.len() >= EVENTS_A_CALL
    }

    fn push_end(
        &self,
        state: &State,
        (field_count, trailers): (u32, Option<Payload>),
        at_eof: bool,
        batch: &mut Batch,
    ) {
        let event = Event::End {
            id: self.id,
            field_count,
            trailers,
            at_eof,
            noted: state.proto.has_noted(),
        };
        self.push(batch, event);
    }

    fn push(&self, batch: &mut Batch, event: Event) {
        self.queued(event.weight());
        batch.events.push(event);
    }

    /// Parses the rest of a packet of which the first `start` bytes are parsed.
    fn parse(
        &self,
        state: &mut State,
        packet: &[u8],
        start: usize,
        batch: &mut Batch,
        now: Instant,
    ) -> Parsed {
        let mut parsed = Parsed::Whole;
        batch.packet(packet.len(), now, |batch| {
            parsed = self.parse_into(state, packet, start, batch, now)
        });
        parsed
    }

    fn parse_into(
        &self,
        state: &mut State,
        packet: &[u8],
        start: usize,
        batch: &mut Batch,
        now: Instant,
    ) -> Parsed {
        match &mut state.input.mode {
            Mode::Broken(broken) => {
                let raw = Some(batch.payload(packet));
                let (kind, bytes_parsed) = (broken.kind, broken.behind);
                if self.queue().is_none() {
                    broken.behind -= packet.len() as i64;
                }
                self.fail(batch, kind, bytes_parsed, raw);
                return Parsed::Whole;
            }
            Mode::Raw => {
                self.behind_http(&packet[start..], batch);
                return Parsed::Whole;
            }
            Mode::Held => return Parsed::UpTo(start),
            Mode::Parsing => {}
        }
        if start == 0 {
            state.proto.begin_packet();
        }
        panics::at(Place::Parse);
        let id = self.id;
        let mut input = &packet[start..];
        let is_limited = self.limits.is_some();
        self.account(state);
        let parsed = loop {
            let at = packet.len() - input.len();
            if !self.may_go_on(state, batch) {
                break Parsed::UpTo(at);
            }
            let is_behind = is_limited && state.proto.outstanding() != 0;
            match state.proto.next_event(&mut input) {
                Ok(Said::NeedData) => break Parsed::Whole,
                Ok(Said::Held) => {
                    state.input.mode = Mode::Held;
                    break Parsed::UpTo(packet.len() - input.len());
                }
                Ok(Said::Request(head)) => {
                    let refused = match &self.limits {
                        Some(limits) => limits.admit(&head, self.queue().is_some()),
                        None => None,
                    };
                    if let Some(refused) = &refused
                        && self.answers_here(is_behind)
                    {
                        // JavaScript does not hear of it, and so it needs no memory.
                        self.refuse(state, refused, input.is_empty(), batch, now);
                        self.account(state);
                        continue;
                    }
                    let mut event = request(id, &head, batch);
                    let has_body = has_body(head.body);
                    let method = PLACES[usize::from(head.method.number())];
                    let is_answered = refused.is_some();
                    if let Some(refused) = refused {
                        event.answered();
                        self.leave_answer(state, *refused, batch);
                    }
                    self.push(batch, event);
                    state.exchanges.begin(method, now, &self.stats);
                    if is_limited {
                        self.head_queued(state, !is_answered);
                        self.account(state);
                        if has_body && !is_answered {
                            self.body_begins(state, now);
                        }
                    }
                    state.timing.end_keep_alive(self.server.as_deref());
                    if has_body {
                        state.timing.head_complete(now);
                    } else {
                        state.timing.message_complete();
                    }
                }
                Ok(Said::Response(head)) => {
                    let event = response(id, &head, batch);
                    let (status, is_whole) = (head.status, !has_body(head.body) && !head.switch);
                    let is_final = !head.informational;
                    self.push(batch, event);
                    if is_final {
                        let time = (!is_whole).then_some(now);
                        state.exchanges.answer(status, time, &self.stats);
                        if is_whole {
                            state.exchanges.end_first(now, &self.stats);
                        }
                    }
                }
                Ok(Said::Data(piece)) => {
                    let len = piece.len();
                    let payload = batch.payload(piece);
                    if is_limited && let Some(hit) = self.body_grows(state, len) {
                        self.cut(state, hit, batch);
                        continue;
                    }
                    self.push(batch, Event::Data { id, payload });
                }
                Ok(Said::End(trailers)) => {
                    let trailers = packed(&trailers, batch);
                    self.push_end(state, trailers, false, batch);
                    state.timing.message_complete();
                    if self.role == proto::Role::Client {
                        state.exchanges.end_first(now, &self.stats);
                    } else if is_limited {
                        self.body_ends(state);
                    }
                    if state.proto.has_switched() {
                        state.input.mode = Mode::Held;
                        break Parsed::UpTo(packet.len() - input.len());
                    }
                }
                Ok(Said::Raw(rest)) => {
                    state.input.mode = Mode::Raw;
                    self.behind_http(rest, batch);
                    break Parsed::Whole;
                }
                Err(error) => {
                    let kind = error.number();
                    self.stats.met_fault(error.kind as u8);
                    state.input.mode = Mode::Broken(Broken {
                        kind,
                        behind: match self.queue() {
                            Some(_) => error.offset as i64,
                            None => error.offset as i64 - packet.len() as i64,
                        },
                    });
                    let raw = Some(batch.payload(packet));
                    self.fail(batch, kind, error.offset as i64, raw);
                    break Parsed::Whole;
                }
            }
        };
        if state.proto.receiving() || state.input.is_broken() {
            // A message that is broken will not end, and its time is limited all the same.
            state.timing.message_continues(now);
        }
        self.keep_accounts_of_input(state, batch);
        parsed
    }

    fn fail(&self, batch: &mut Batch, kind: u8, bytes_parsed: i64, packet: Option<Payload>) {
        self.push(
            batch,
            Event::ParseError {
                id: self.id,
                kind,
                bytes_parsed,
                packet,
            },
        );
    }

    /// Reports the end of a message that had no body.
    pub(super) fn message_ends(&self, state: &State, batch: &mut Batch) {
        self.push_end(state, (0, None), false, batch);
    }

    /// Reports that the peer has ended its side of the socket.
    pub(super) fn receive_eof(&self, state: &mut State, batch: &mut Batch) {
        if state.tapped {
            batch.packet(0, clock::now(), |batch| {
                batch.events.push(Event::Eof { id: self.id })
            });
        } else {
            self.parse_eof(state, batch);
        }
    }

    /// Reports the end of what is parsed: EOF, and before it what that means for a message (RFC 9112 §8).
    pub(super) fn parse_eof(&self, state: &mut State, batch: &mut Batch) {
        batch.packet(0, clock::now(), |batch| self.parse_eof_into(state, batch));
    }

    fn parse_eof_into(&self, state: &mut State, batch: &mut Batch) {
        let id = self.id;
        if matches!(state.input.mode, Mode::Parsing | Mode::Held) {
            match state.proto.end_of_input() {
                Ok(Said::End(trailers)) => {
                    let trailers = packed(&trailers, batch);
                    self.push_end(state, trailers, true, batch);
                    if self.role == proto::Role::Client {
                        state.exchanges.end_first(clock::now(), &self.stats);
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    let kind = error.number();
                    self.stats.met_fault(error.kind as u8);
                    state.input.mode = Mode::Broken(Broken { kind, behind: 0 });
                    self.fail(batch, kind, error.offset as i64, None);
                }
            }
        }
        batch.events.push(Event::Eof { id });
    }

    /// Reports bytes of another protocol, if there are any.
    fn behind_http(&self, bytes: &[u8], batch: &mut Batch) {
        if !bytes.is_empty() {
            self.raw(bytes, batch);
        }
    }

    pub(super) fn raw(&self, bytes: &[u8], batch: &mut Batch) {
        let payload = batch.payload(bytes);
        self.push(
            batch,
            Event::Raw {
                id: self.id,
                payload,
            },
        );
    }
}
