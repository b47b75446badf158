//! What JavaScript says on a connection: messages and raw bytes, framed into its output.

use std::time::Instant;

use bytes::Bytes;
use http_native_proto as proto;

use super::block;
use super::clock;
use super::connection::Connection;
use super::event::Syscall;
use super::exchanges::status_in;
use super::limits::{SEGMENT, TAKEN_MAX};
use super::message::{Body, Head, Message};
use super::state::{Ending, Flow, State};
use super::stats::place_of_method;
use crate::panics::{self, Place};

/// The head or the trailers of a message are not what their renderer says.
#[derive(Debug)]
pub(crate) struct BadBlock;

/// What JavaScript is told of a message that has no place in the exchange: -EINVAL.
const OUT_OF_ORDER: i32 = -22;

impl State {
    /// Notes that what is said from here on waits for the end of the tick in core.
    fn cork(&mut self) {
        self.output.cork();
        self.corked_at = self.said();
    }

    /// Bytes said since [`State::cork`], although a thread may have written them.
    fn since_cork(&self) -> usize {
        self.said().saturating_sub(self.corked_at) as usize
    }

    /// Registers the request whose head goes out, or is said to be under way. What waits of its answer is a duty of the
    /// driver's now.
    fn expect_response(&mut self, head: bool, connect: bool) {
        self.asked = true;
        self.proto.expect_response(head, connect);
    }

    /// Appends bytes of a body, or raw ones. Memory of JavaScript's becomes ours if it would count as taken then, unless
    /// JavaScript will not be told: it stays JavaScript's until it is written.
    fn append(&mut self, body: Body<'_>) {
        match body {
            Body::None => {}
            Body::Copied(bytes) if bytes.len() < SEGMENT => {
                self.output.tail().extend_from_slice(bytes);
            }
            Body::Copied(bytes) => self.output.push(Bytes::copy_from_slice(bytes)),
            Body::Owned(bytes) => self.output.push(bytes),
            Body::Borrowed { bytes, is_told } => {
                let fits = self.flow != Flow::Blocked && self.untaken() + bytes.len() <= TAKEN_MAX;
                let is_copied =
                    is_told && fits && block::copy(&bytes, |copy| self.output.push(copy));
                if !is_copied {
                    self.output.push_borrowed(bytes);
                }
            }
        }
    }
}

impl Connection {
    /// Frames a message into the output. Returns the bytes that do not count as taken, or, under a cork, all that were said
    /// since, if these are more. What is said behind the last
    /// message is dropped, as in Node. A message that has no place in the exchange ends the connection: the peer could
    /// not tell what belongs to what.
    ///
    /// # Errors
    /// The head or the trailers do not have the lines that the renderer counted.
    pub(crate) fn send(&self, message: Message<'_>) -> Result<usize, BadBlock> {
        let mut state = self.lock();
        if state.is_deaf() {
            return Ok(state.lose(message.body.len()));
        }
        let framed = self.frame(&mut state, message);
        self.keep_accounts(&mut state);
        match framed {
            Ok(pending) => Ok(pending),
            Err(proto::SendError::BadBlock) => Err(BadBlock),
            Err(proto::SendError::Over) => Ok(0),
            Err(proto::SendError::OutOfOrder | proto::SendError::TooManyOutstanding) => {
                state.end(Ending::Failed(OUT_OF_ORDER, Syscall::Write));
                Ok(0)
            }
        }
    }

    pub(super) fn frame(
        &self,
        state: &mut State,
        message: Message<'_>,
    ) -> Result<usize, proto::SendError> {
        let mut time = None;
        let under_cork = message.under_cork;
        if message.cork {
            state.cork();
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
                    Err(proto::SendError::OutOfOrder | proto::SendError::Over) => {
                        state.output.tail().extend_from_slice(block.bytes)
                    }
                    sent => sent?,
                }
            }
            Head::Final(block, framing) => {
                // A short answer leaves as one, and is timed then.
                let is_short = message.end.is_some() && message.body.len() < SEGMENT;
                if self.role == proto::Role::Client || !is_short {
                    time = Some(clock::now());
                }
                if self.role == proto::Role::Client {
                    if !std::mem::take(&mut state.expected) {
                        let name = block.bytes.split(|byte| *byte == b' ').next();
                        let method = place_of_method(name.unwrap_or(b""));
                        state
                            .exchanges
                            .begin(method, time.unwrap_or_else(clock::now), &self.stats);
                        state.expect_response(message.request_head, message.request_connect);
                    }
                } else {
                    let status = status_in(block.bytes);
                    state.exchanges.answer(status, time, &self.stats);
                }
                state
                    .proto
                    .send_head(block.bytes, block.lines, framing, state.output.tail())?;
            }
        }
        panics::at(Place::Send);
        let len = message.body.len();
        if len > 0 && state.proto.begin_data(len, state.output.tail()) {
            state.append(message.body);
            state.proto.finish_data(state.output.tail());
        }
        if let Some(trailers) = message.end {
            state.proto.send_end(
                trailers.bytes,
                trailers.lines,
                message.last,
                state.output.tail(),
            )?;
            if self.role == proto::Role::Server {
                self.answer_said(state);
                if message.last {
                    state.end(Ending::AfterOutput);
                } else {
                    self.response_ended(state, time);
                }
            }
        }
        let pending = state.output.untaken();
        Ok(if under_cork {
            pending.max(state.since_cork())
        } else {
            pending
        })
    }

    /// Registers the next request of a client before its head is sent: the peer may answer all the same. `head` and
    /// `connect` tell whether the method is HEAD or CONNECT, for those that are one of these.
    pub(crate) fn expect(&self, head: bool, connect: bool, method: &[u8]) {
        let mut state = self.lock();
        let method = place_of_method(method);
        state.exchanges.begin(method, clock::now(), &self.stats);
        state.expected = true;
        state.expect_response(head, connect);
    }

    /// Says of a client's connection that has had no request that none is under way: bytes that come are unasked.
    pub(crate) fn expect_nothing(&self) {
        self.lock().asked = true;
    }

    /// Notes that an answer with this status begins to go out in raw bytes.
    pub(crate) fn answers(&self, status: u16) {
        let mut state = self.lock();
        state
            .exchanges
            .answer(status, Some(clock::now()), &self.stats);
    }

    /// Counts a request as answered: the response went out in raw bytes. `written` is what its stream has written in all, of
    /// a driver two; `status` is 0 if it is not known here.
    pub(crate) fn answered(&self, status: u16, written: u64) {
        let mut guard = self.lock();
        let state = &mut *guard;
        state.proto.answered();
        if self.role == proto::Role::Server {
            state.exchanges.answer(status, None, &self.stats);
            self.answer_said(state);
        }
        self.count_written(state, written);
        self.account(state);
        self.response_ended(state, None);
    }

    /// The answer under way is said to its end.
    pub(super) fn answer_said(&self, state: &mut State) {
        let said = state.said();
        state.exchanges.say_end(said);
        if state.is_written() {
            state.exchanges.left(said, clock::now(), &self.stats);
        }
    }

    /// Begins the keep-alive time, if no exchange is open, or has it begin with what was said. `now` is the time, if that was looked at.
    fn response_ended(&self, state: &mut State, now: Option<Instant>) {
        if self.role == proto::Role::Server
            && state.proto.outstanding() == 0
            && let Some(server) = &self.server
        {
            state.timing.is_answered(server.keep_alive());
            if state.is_written() {
                state
                    .timing
                    .begin_keep_alive(now.unwrap_or_else(clock::now));
            }
        }
    }

    /// Throws away what was said since the last message with `cork`, unless it has left.
    pub(crate) fn discard(&self) {
        self.lock().output.discard();
    }

    /// Appends bytes outside of any message. Returns the bytes that do not count as taken.
    pub(crate) fn write_raw(&self, body: Body<'_>) -> usize {
        let mut state = self.lock();
        if state.is_deaf() {
            return state.lose(body.len());
        }
        // What was expected is the request that these bytes are of.
        state.expected = false;
        state.append(body);
        self.keep_accounts(&mut state);
        state.output.untaken()
    }

    /// Bytes that do not count as taken.
    pub(crate) fn pending(&self) -> usize {
        self.lock().untaken()
    }

    /// Bytes that wait as in a stream: those that are corked, and all that do not count as taken while the kernel has no
    /// room.
    pub(crate) fn waiting(&self, is_corked: bool) -> usize {
        let state = self.lock();
        match state.flow {
            Flow::Blocked => state.output.untaken(),
            _ if is_corked => state.since_cork(),
            _ => 0,
        }
    }

    /// Bytes that count as taken, and that the kernel has not got.
    pub(crate) fn promised(&self) -> usize {
        let state = self.lock();
        (state.said() - state.lost - state.bytes_written) as usize - state.live_untaken()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http_native_proto::{Config, OutFraming, Role};

    use super::*;
    use crate::net::message::Block;

    #[test]
    fn a_message_that_has_no_place_in_the_exchange_ends_the_connection() {
        let config = Config::default();
        let connection = Connection::over_stream(0, Role::Server, config, Arc::default());
        let head = || Message {
            head: Head::Final(
                Block {
                    bytes: b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                    lines: 3,
                },
                OutFraming::Length(5),
            ),
            request_head: false,
            request_connect: false,
            body: Body::None,
            end: None,
            last: false,
            cork: false,
            under_cork: false,
        };
        assert_ne!(connection.send(head()).unwrap(), 0);
        // Before the first has ended.
        assert_eq!(connection.send(head()).unwrap(), 0);
        let failed = Ending::Failed(OUT_OF_ORDER, Syscall::Write);
        assert_eq!(connection.lock().ending, failed);
    }

    #[test]
    fn what_is_said_behind_a_last_answer_of_ours_is_lost() {
        let config = Config::default();
        let connection = Connection::over_stream(0, Role::Server, config, Arc::default());
        connection.lock().metered.is_refused = true;
        assert_eq!(connection.write_raw(Body::Copied(b"late")), 4);
        assert!(!connection.has_output());
        assert_eq!(connection.taken(), 0);
    }

    #[test]
    fn what_a_thread_writes_counts_as_taken_unless_it_is_borrowed() {
        for borrowed in [false, true] {
            let connection =
                Connection::over_stream(0, Role::Server, Config::default(), Arc::default());
            connection.lock().flow = Flow::InFlight {
                len: 10,
                untaken: 10,
                borrowed,
            };
            assert_eq!(connection.take(0, false) == 0, !borrowed);
            assert_eq!(connection.pending(), if borrowed { 10 } else { 0 });
        }
    }
}
