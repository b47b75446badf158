//! Bytes to events: what proto makes of a packet, appended to the batch.

use std::time::Instant;

use http_native_proto as proto;
use proto::{BodyFraming, Event as Said};

use super::batch::{Batch, Payload};
use super::connection::{Broken, Connection, State};
use super::event::Event;

// Flags of REQUEST and RESPONSE records, docs/BOUNDARY.md.
const KEEP_ALIVE: i32 = 1;
const BODY: i32 = 2;
const UPGRADE: i32 = 4;
const HAS_EXPECT: i32 = 8;
const HAS_HOST: i32 = 16;
const FRAMED: i32 = 32;
const INFORMATIONAL: i32 = 64;
const UNTIL_CLOSE: i32 = 128;
const SURPLUS: i32 = 256;

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

fn end(id: u32, trailers: &proto::Fields<'_>, at_eof: bool, batch: &mut Batch) -> Event {
    let field_count = trailers.len();
    Event::End {
        id,
        field_count,
        trailers: (field_count > 0).then(|| pack(batch, b"", trailers)),
        at_eof,
    }
}

impl Connection {
    /// Takes one packet from the socket.
    pub(super) fn receive_packet(
        &self,
        state: &mut State,
        packet: &[u8],
        batch: &mut Batch,
        now: Instant,
    ) {
        if state.tapped {
            state.virgin = false;
            batch.packet(|batch| self.raw(packet, batch));
        } else {
            self.parse(state, packet, batch, now);
        }
    }

    /// Parses one packet as far as it may be parsed now; the rest is carried.
    pub(super) fn parse(&self, state: &mut State, packet: &[u8], batch: &mut Batch, now: Instant) {
        batch.packet(|batch| self.parse_into(state, packet, batch, now));
    }

    fn parse_into(&self, state: &mut State, packet: &[u8], batch: &mut Batch, now: Instant) {
        state.virgin = false;
        state.proto.begin_packet();
        self.parse_from(state, packet, 0, batch, now);
    }

    /// Parses the rest of a packet of which the first `start` bytes are parsed.
    pub(super) fn parse_from(
        &self,
        state: &mut State,
        packet: &[u8],
        start: usize,
        batch: &mut Batch,
        now: Instant,
    ) {
        if let Some(broken) = &mut state.broken {
            let raw = Some(batch.payload(packet));
            self.queued(packet.len());
            batch.events.push(Event::ParseError {
                id: self.id,
                kind: broken.kind,
                bytes_parsed: broken.behind,
                packet: raw,
            });
            if self.thread().is_none() {
                broken.behind -= packet.len() as i64;
            }
            return;
        }
        if state.raw {
            self.raw(packet, batch);
            return;
        }
        let id = self.id;
        let mut input = &packet[start..];
        let mut holds_body = false;
        loop {
            if !state.may_parse() && !state.tapped && self.thread().is_some() {
                state.carry.extend_from_slice(input);
                break;
            }
            match state.proto.next_event(&mut input) {
                Ok(Said::NeedData) => break,
                Ok(Said::Held) => {
                    state.held = true;
                    if holds_body {
                        state.preceding = packet[..packet.len() - input.len()].to_vec();
                    }
                    state.carry.extend_from_slice(input);
                    break;
                }
                Ok(Said::Request(head)) => {
                    let event = request(id, &head, batch);
                    let has_body = has_body(head.body);
                    holds_body = head.switch && has_body;
                    batch.events.push(event);
                    if state.timing.keep_alive_set {
                        state.timing.keep_alive_set = false;
                        state.timing.idle = self
                            .listener
                            .as_ref()
                            .map_or(std::time::Duration::ZERO, |listener| listener.idle());
                    }
                    if has_body {
                        state.timing.head_complete(now);
                    } else {
                        state.timing.message_complete();
                    }
                }
                Ok(Said::Response(head)) => {
                    let event = response(id, &head, batch);
                    batch.events.push(event);
                }
                Ok(Said::Data(piece)) => {
                    let payload = batch.payload(piece);
                    self.queued(piece.len());
                    batch.events.push(Event::Data { id, payload });
                }
                Ok(Said::End(trailers)) => {
                    let event = end(id, &trailers, false, batch);
                    batch.events.push(event);
                    state.timing.message_complete();
                    if state.proto.has_switched() {
                        state.held = true;
                        state.carry.extend_from_slice(input);
                        break;
                    }
                }
                Ok(Said::Raw(rest)) => {
                    state.raw = true;
                    self.raw(rest, batch);
                    break;
                }
                Err(error) => {
                    let kind = error.kind as u8;
                    state.broken = Some(Broken {
                        kind,
                        behind: match self.thread() {
                            Some(_) => error.offset as i64,
                            None => error.offset as i64 - packet.len() as i64,
                        },
                    });
                    let raw = Some(batch.payload(packet));
                    self.queued(packet.len());
                    batch.events.push(Event::ParseError {
                        id,
                        kind,
                        bytes_parsed: error.offset as i64,
                        packet: raw,
                    });
                    break;
                }
            }
        }
        if state.proto.receiving() || state.broken.is_some() {
            // A message that is broken will not end, and its time is limited all the same.
            state.timing.message_continues(now);
        } else {
            state.timing.message_complete();
        }
    }

    /// A message is over without having had a body.
    pub(super) fn message_ends(&self, batch: &mut Batch) {
        let event = end(self.id, &proto::Fields::EMPTY, false, batch);
        batch.events.push(event);
    }

    /// The peer ended its side of the socket.
    pub(super) fn receive_eof(&self, state: &mut State, batch: &mut Batch) {
        if state.tapped {
            batch.packet(|batch| batch.events.push(Event::Eof { id: self.id }));
        } else {
            self.parse_eof(state, batch);
        }
    }

    /// Nothing more will come to be parsed.
    pub(super) fn parse_eof(&self, state: &mut State, batch: &mut Batch) {
        batch.packet(|batch| self.parse_eof_into(state, batch));
    }

    fn parse_eof_into(&self, state: &mut State, batch: &mut Batch) {
        let id = self.id;
        if state.broken.is_none() && !state.raw {
            match state.proto.end_of_input() {
                Ok(Said::End(trailers)) => {
                    let event = end(id, &trailers, true, batch);
                    batch.events.push(event);
                }
                Ok(_) => {}
                Err(error) => {
                    let kind = error.kind as u8;
                    state.broken = Some(Broken { kind, behind: 0 });
                    batch.events.push(Event::ParseError {
                        id,
                        kind,
                        bytes_parsed: error.offset as i64,
                        packet: None,
                    });
                }
            }
        }
        batch.events.push(Event::Eof { id });
    }

    fn raw(&self, bytes: &[u8], batch: &mut Batch) {
        if bytes.is_empty() {
            return;
        }
        let payload = batch.payload(bytes);
        self.queued(bytes.len());
        batch.events.push(Event::Raw {
            id: self.id,
            payload,
        });
    }
}
