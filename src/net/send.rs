//! What JavaScript says on a connection: messages and raw bytes, framed into its output.

use std::time::Instant;

use bytes::Bytes;
use http_native_proto as proto;

use super::connection::{Connection, Ending, State};
use super::message::{Body, Head, Message};
use super::output::SEGMENT;

impl State {
    /// What is said after the end, before JavaScript knows of it, counts as waiting for ever: a writer that heeds
    /// back-pressure stops, and hears of the end.
    fn lose(&mut self, len: usize) -> usize {
        self.lost += len;
        self.lost
    }

    fn expect_response(&mut self, head: bool, connect: bool) {
        self.attention |= !self.asked && !self.carry.is_empty();
        self.asked = true;
        self.proto.expect_response(head, connect);
    }
}

impl Connection {
    /// Frames a message into the output. Returns the bytes that wait to be written.
    ///
    /// # Errors
    /// The head or the trailers do not have the lines that the renderer counted.
    pub(crate) fn send(&self, message: Message<'_>) -> Result<usize, proto::SendError> {
        let mut guard = self.lock();
        let state = &mut *guard;
        if state.closed {
            return Ok(state.lose(message.body.len()));
        }
        if message.cork {
            state.output.cork();
        }
        match message.head {
            Head::None => {}
            Head::Informational(block) => {
                let sent =
                    state
                        .proto
                        .send_informational(block.bytes, block.lines, state.output.tail());
                match sent {
                    // Node: an interim response behind the head of the final one goes out as it is.
                    Err(proto::SendError::OutOfOrder) => {
                        state.output.tail().extend_from_slice(block.bytes)
                    }
                    sent => sent?,
                }
            }
            Head::Final(block, framing) => {
                if self.role == proto::Role::Client && !std::mem::take(&mut state.expected) {
                    state.expect_response(message.request_head, message.request_connect);
                }
                state
                    .proto
                    .send_head(block.bytes, block.lines, framing, state.output.tail())?;
            }
        }
        let len = message.body.len();
        if len > 0 && state.proto.begin_data(len, state.output.tail()) {
            match message.body {
                Body::None => {}
                Body::Copied(bytes) if bytes.len() < SEGMENT => {
                    state.output.tail().extend_from_slice(bytes);
                }
                Body::Copied(bytes) => state.output.push(Bytes::copy_from_slice(bytes)),
                Body::Kept(bytes) => state.output.push(bytes),
            }
            state.proto.finish_data(state.output.tail());
        }
        if let Some(trailers) = message.end {
            state.proto.send_end(
                trailers.bytes,
                trailers.lines,
                message.last,
                state.output.tail(),
            )?;
            if message.last && self.role == proto::Role::Server {
                state.ending = state.ending.max_with(Ending::AfterOutput);
                state.attention = true;
            } else {
                self.response_ended(state);
            }
        }
        Ok(state.output.unaccepted())
    }

    /// Client: the head of the next request is not sent yet, but the peer may answer all the same.
    pub(crate) fn expect(&self, head: bool, connect: bool) {
        let mut state = self.lock();
        state.expected = true;
        state.expect_response(head, connect);
    }

    /// A response went out in raw bytes.
    pub(crate) fn answered(&self) {
        let mut guard = self.lock();
        let state = &mut *guard;
        state.proto.answered();
        self.response_ended(state);
    }

    /// Between exchanges the keep-alive timeout counts.
    fn response_ended(&self, state: &mut State) {
        if !state.carry.is_empty() {
            state.attention = true;
        }
        if self.role == proto::Role::Server
            && state.proto.outstanding() == 0
            && let Some(listener) = &self.listener
        {
            let keep_alive = listener.keep_alive();
            if !keep_alive.is_zero() {
                state.timing.idle = keep_alive;
                state.timing.keep_alive_set = true;
                state.timing.active(Instant::now());
            }
        }
    }

    /// Takes back what was said since the last message with `cork`, unless it has left.
    pub(crate) fn discard(&self) {
        self.lock().output.discard();
    }

    /// Appends bytes outside of any message. Returns the bytes that wait to be written.
    pub(crate) fn write_raw(&self, body: Body<'_>) -> usize {
        let mut state = self.lock();
        if state.closed {
            return state.lose(body.len());
        }
        match body {
            Body::None => {}
            Body::Copied(bytes) => state.output.tail().extend_from_slice(bytes),
            Body::Kept(bytes) => state.output.push(bytes),
        }
        state.output.unaccepted()
    }

    /// Bytes that do not count as taken.
    pub(crate) fn pending(&self) -> usize {
        let state = self.lock();
        state.output.unaccepted() + state.in_flight + state.lost
    }

    /// Bytes that wait as in a stream: those that are corked, and all that do not count as taken while the kernel has no
    /// room.
    pub(crate) fn waiting(&self, is_corked: bool) -> usize {
        let state = self.lock();
        if state.blocked {
            state.output.unaccepted() + state.in_flight
        } else if is_corked {
            state.output.since_cork()
        } else {
            0
        }
    }

    /// Is anything there for the kernel?
    pub(crate) fn has_output(&self) -> bool {
        let state = self.lock();
        state.writing || !state.output.is_empty()
    }
}
