//! Bytes that JavaScript wants to see itself: those behind HTTP, all of a socket, which is surrendered, or
//! what is read from it, which then comes back to be parsed.

use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

use super::clock;
use super::connection::{Batch, Connection};
use super::input::Mode;
use super::state::{Ending, Fin, State};
use super::stats::{Close, UPGRADED};

/// The status that an exchange ends with by which HTTP is left, unless an answer was seen.
const SWITCHING: u16 = 101;

impl Connection {
    /// Answers a head that asks to leave HTTP: later bytes go up as RAW, or are parsed on.
    pub(crate) fn upgrade(&self, accept: bool) {
        let mut state = self.lock();
        if accept {
            state.input.mode = Mode::Raw;
            state.proto.accept_switch();
            state.timing.message_complete();
            self.count_switch(&mut state);
        } else {
            if state.input.mode == Mode::Held {
                state.input.mode = Mode::Parsing;
            }
            state.proto.decline_switch();
        }
        state.attention = true;
    }

    /// Leaves HTTP before any head: the bytes are no messages. For the stats that is no upgrade.
    pub(crate) fn leave_http(&self) {
        let mut state = self.lock();
        state.input.mode = Mode::Raw;
        state.timing.message_complete();
        state.attention = true;
    }

    /// Lets a head leave HTTP when its body is over: then the head is held once more, for [`Self::upgrade`].
    /// What has come of the body is parsed. True if there is more to ask for with [`Self::receive`].
    pub(crate) fn upgrade_after_body(&self, batch: &mut Batch) -> bool {
        let mut guard = self.lock();
        let state = &mut *guard;
        state.proto.accept_switch_after_body();
        if state.proto.has_switched() {
            // Nothing tells where the body would end: there is none.
            self.message_ends(state, batch);
            return false;
        }
        state.input.mode = Mode::Parsing;
        state.attention = true;
        self.parse_waiting(state, batch, clock::now());
        self.has_more(state, batch)
    }

    fn count_switch(&self, state: &mut State) {
        self.stats.switched();
        // What was answered is the application's; that HTTP was left tells enough.
        state.exchanges.switch(SWITCHING, &self.stats);
    }

    /// Gives, once, the bytes received behind the message that switched protocols.
    pub(crate) fn take_head(&self) -> Vec<u8> {
        self.lock().input.take_rest()
    }

    /// Gives the socket away, as a descriptor that Node's event loop will own, and closes the connection without the
    /// peer's noticing. `None` unless HTTP is over here, or has not begun (paused since it was accepted). What was said before is written
    /// now; what the kernel does not take of it is given with the socket, and has to be written first. What a tapped connection has read
    /// is in its queue, and comes before what the new owner reads.
    pub(crate) fn surrender(&self) -> Option<(OwnedFd, Vec<u8>)> {
        let writes = {
            let state = self.lock();
            Self::is_quiet(&state) && !state.is_written()
        };
        if writes {
            self.flush_last();
        }
        self.is_wanted.store(true, Ordering::SeqCst);
        let given = Cell::new(None);
        // The I/O thread may write the rest, as soon as the kernel takes more, and read from a tapped connection.
        clock::give_way_until(|| {
            let mut state = self.lock();
            let is_here = !state.is_in_flight() && !self.reading.load(Ordering::SeqCst);
            if is_here && Self::is_quiet(&state) {
                given.set(self.give_away(&mut state));
            }
            is_here
        });
        let given = given.into_inner();
        if given.is_none() {
            self.is_wanted.store(false, Ordering::SeqCst);
            self.lock().attention = true;
        }
        given
    }

    /// True if a head is held, or nothing was read, and neither side has ended. While a head is held, or the connection is paused, neither
    /// thread reads, and the I/O thread not from a tapped one that is wanted: what comes from now on is the new owner's. The end of what a
    /// tapped one has read is behind bytes that are still to be parsed, and its new owner meets it again.
    fn is_quiet(state: &State) -> bool {
        let is_held = state.input.mode == Mode::Held;
        (is_held || (state.paused && state.virgin))
            && (!state.eof || state.tapped)
            && state.fin == Fin::None
            && state.ending == Ending::None
    }

    fn give_away(&self, state: &mut State) -> Option<(OwnedFd, Vec<u8>)> {
        // A descriptor of its own: the end of ours removes the socket from the reactor, and no more.
        let socket = state.transport.socket()?.try_clone().ok()?;
        let rest = state.output.take_all();
        if state.input.mode == Mode::Held {
            self.count_switch(state);
        }
        state.close_noted = Some(Close::for_reason(UPGRADED));
        state.end(Ending::Now);
        Some((socket.into(), rest))
    }

    /// Has packets go up as they are, as RAW, from now on; what JavaScript gives back with `receive` is parsed. So is what
    /// waits then: JavaScript asks for it when it gets an empty RAW, behind what was parsed before.
    pub(crate) fn tap(&self) {
        let mut state = self.lock();
        state.tapped = true;
        // Reading may have stopped for what waits, and goes on.
        state.attention = true;
        if let Some(queue) = self.queue()
            && !state.input.is_empty()
        {
            let mut batch = queue.lock();
            batch.packet(0, clock::now(), |batch| self.raw(b"", batch));
        }
    }
}

#[cfg(test)]
mod tests {
    use http_native_proto::{Config, Role};

    use std::sync::Arc;

    use super::*;
    use crate::net::connection::Event;

    /// A server's connection over a stream of JavaScript's.
    fn on_a_stream() -> Connection {
        Connection::over_stream(0, Role::Server, Config::default(), Arc::default())
    }

    fn body_events(batch: &Batch) -> Vec<String> {
        let events = batch.events.iter();
        let told = events.map(|event| match event {
            Event::Data { .. } => "data".to_owned(),
            Event::End { field_count, .. } => format!("end {field_count}"),
            Event::ParseError { bytes_parsed, .. } => format!("error at {bytes_parsed}"),
            Event::Raw { .. } => "raw".to_owned(),
            _ => "other".to_owned(),
        });
        told.collect()
    }

    #[test]
    fn a_body_before_a_switch_is_parsed_and_what_is_behind_it_waits() {
        let head = "POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: a\r\n";
        let cases = [
            (
                "Content-Length: 2\r\n\r\nhitail",
                vec!["data", "end 0"],
                "tail",
            ),
            (
                "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nA: b\r\n\r\n",
                vec!["data", "end 1"],
                "",
            ),
            ("Transfer-Encoding: gzip\r\n\r\ntail", vec!["end 0"], "tail"),
            ("Content-Length: 3\r\n\r\nhi", vec!["data"], ""),
        ];
        for (rest, expected, behind) in cases {
            let connection = on_a_stream();
            let mut batch = Batch::default();
            connection.receive(Some(format!("{head}{rest}").as_bytes()), &mut batch);
            assert_eq!(batch.events.len(), 1);
            let mut batch = Batch::default();
            connection.upgrade_after_body(&mut batch);
            assert_eq!(body_events(&batch), expected, "{rest}");
            if expected.len() == 1 && behind.is_empty() {
                let mut batch = Batch::default();
                connection.receive(Some(b"!more"), &mut batch);
                assert_eq!(body_events(&batch), ["data", "end 0"]);
                assert_eq!(connection.take_head(), b"more");
            } else {
                assert_eq!(connection.take_head(), behind.as_bytes());
            }
            connection.upgrade(true);
            let mut batch = Batch::default();
            connection.receive(Some(b"raw"), &mut batch);
            assert_eq!(body_events(&batch), ["raw"]);
        }
    }

    #[test]
    fn what_comes_on_a_connection_that_left_http_before_any_head_is_raw() {
        let connection = on_a_stream();
        connection.leave_http();
        let mut batch = Batch::default();
        connection.receive(Some(b"GET / HTTP/1.1\r\n\r\n"), &mut batch);
        assert_eq!(body_events(&batch), ["raw"]);
    }

    #[test]
    fn an_error_in_a_body_before_a_switch_counts_from_the_start_of_its_packet() {
        let connection = on_a_stream();
        let good = "POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n";
        let mut batch = Batch::default();
        connection.receive(Some(format!("{good}zzz").as_bytes()), &mut batch);
        let mut batch = Batch::default();
        connection.upgrade_after_body(&mut batch);
        let place = format!("error at {}", good.len());
        assert_eq!(body_events(&batch), ["data".to_owned(), place]);
    }
}
