//! What the two threads of a connection share, behind its lock, and what follows from it: what is to be done next
//! ([`State::duty`]), and which bytes count as taken ([`State::take`]). Both are decided here and nowhere else.
//!
//! **Waking.** A change of the state under the lock does not depend on what the other thread is doing. The JS thread
//! marks the connection, and its flush, or the I/O thread's, looks at the state once more when it lets go of the
//! output: if a duty is left ([`State::needs_driver`]), the driver runs.
//!
//! | change | made by | what is woken |
//! |---|---|---|
//! | something to write | JS | the I/O thread (`Attend`), unless the JS thread writes it at once |
//! | a write has ended, of either thread | flush | the driver, if a duty is left that waited for it |
//! | the kernel takes no more | flush | the driver: it waits for readiness; of a lent socket, the JS thread (`Lent`) |
//! | ending, FIN, loan, return, upgrade, tap, resume, timeout | JS | the driver, by the flush that follows |
//! | a response ended, or a request began, while input waits | JS | the driver, by the flush that follows |
//! | JavaScript has had what filled a window | JS | the driver, by the flush that follows (`delivered`) |
//! | JavaScript made room in all | JS | the drivers that wait for it, by `Attend` (`relieve`); a flush that finds none has the driver wait |
//! | what JavaScript waits for is taken | flush | the JS thread (`Drain`) |
//! | FIN went out | driver | the JS thread (`Fin`), if it asked to hear of it |
//! | a limit of the server has room again | either | the next driver in line (`line.rs`), which wakes the one behind it if room is left |
//! | a lent socket is recalled for the limits of its server | an I/O thread | the driver, and the JS thread (`Lent`) |
//! | nothing connects or waits to be written | flush | the JS thread (`Rest`), if that keeps the process alive |
//!
//! **Lock order.** A connection's state, then an event queue, then the list of connections that wait for room in it; the locks of a
//! server's limits come last.
//! None stays locked across a system call that can wait, or a call into JavaScript.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use http_native_proto as proto;
use socket2::Socket;

use super::admission::Admission;
use super::clock;
use super::event::Syscall;
use super::exchanges::Exchanges;
use super::input::{self, Input, Mode};
use super::limits::{READ_AHEAD, TAKEN_MAX};
use super::metered::Metered;
use super::output::Output;
use super::stats::Close;
#[cfg(test)]
use super::tests::model::{self, Fault};
use super::timing::Timing;
use super::transport::{Ends, Lending, Transport};

/// How the connection is to end; the later outranks the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Ending {
    None,
    /// When all output is written: net.Socket's destroySoon.
    AfterOutput,
    /// The socket failed: negative errno.
    Failed(i32, Syscall),
    /// At once, with FIN.
    Now,
    /// At once, with RST.
    Reset,
    /// It has.
    Closed,
}

/// Our side's end of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fin {
    None,
    /// It follows the output.
    Wanted,
    Sent,
}

/// Where the output is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// Here.
    Open,
    /// A thread writes `len` bytes of it with the state unlocked; `untaken` of them do not count as taken, and may not as long as
    /// some are `borrowed`: JavaScript's memory, which can still change.
    InFlight {
        len: usize,
        untaken: usize,
        borrowed: bool,
    },
    /// Here, and the kernel takes no more: the driver waits for write readiness.
    Blocked,
}

/// What the driver has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// Nothing but to wait: for readiness, for JavaScript, for a write to end.
    Rest,
    /// A lent socket came back.
    TakeBack,
    /// The end of the connection.
    Finish,
    /// Input that had to wait may be parsed.
    Parse,
    /// FIN.
    Fin,
    /// The JS thread wants the socket.
    Lend,
    /// What is beyond a limit is to be answered, or cut off.
    EndCut,
}

/// What JavaScript waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    None,
    /// DRAIN when as many bytes as this, of all that was ever said, count as taken.
    Taken(u64),
    /// DRAIN when there is room for more; it does not tell that anything was taken.
    Room,
}

pub(super) struct State {
    pub(super) proto: proto::Connection,
    pub(super) transport: Transport,
    /// It is known to be no Unix socket.
    pub(super) is_tcp: bool,
    /// What JavaScript may ask for before it hears that the connection has closed.
    pub(super) ends: Ends,
    pub(super) lending: Lending,
    pub(super) output: Output,
    pub(super) flow: Flow,
    pub(super) input: Input,
    /// Bytes go up as they come, and come back to be parsed: see `tap`.
    pub(super) tapped: bool,
    /// Client: a request was sent, or is said to be under way. What comes before waits for it.
    pub(super) asked: bool,
    /// Client: `expect` has registered the next request already; `send` must not register it again.
    pub(super) expected: bool,
    /// JavaScript wants no more bytes for now.
    pub(super) paused: bool,
    /// The peer has ended its side.
    pub(super) eof: bool,
    /// The kernel has told so, or that the peer has gone: nothing more will come than it has by now.
    pub(super) hung_up: bool,
    pub(super) fin: Fin,
    /// `Fin` is to tell.
    pub(super) tells_fin: bool,
    /// The last read filled its buffer: the kernel may have more.
    pub(super) filled: bool,
    pub(super) ending: Ending,
    pub(super) notice: Notice,
    /// What JavaScript is about to ask for was taken.
    pub(super) was_met: bool,
    /// The process is kept alive until nothing connects or waits to be written: `Rest` is to tell.
    pub(super) tells_rest: bool,
    /// The connection is listed to be told when JavaScript has room for more, of all connections.
    pub(super) starving: bool,
    /// The driver is to look once: something was changed that is no duty by itself.
    pub(super) attention: bool,
    pub(super) task: Option<Waker>,
    pub(super) timing: Timing,
    pub(super) exchanges: Exchanges,
    /// What the limits of its server have to know.
    pub(super) metered: Metered,
    /// Its place among the connections of a server with limits.
    pub(super) admission: Option<Admission>,
    /// Why it is closed, if JavaScript has said so; and true once that is counted.
    pub(super) close_noted: Option<Close>,
    pub(super) close_counted: bool,
    /// No byte ever came.
    pub(super) virgin: bool,
    pub(super) bytes_read: u64,
    /// Taken by the kernel.
    pub(super) bytes_written: u64,
    /// What counted as taken when the connection ended, and what was said and did not reach the kernel.
    pub(super) taken_at_end: u64,
    pub(super) lost: u64,
    /// What had been said when the tick's cork began: see [`State::cork`].
    pub(super) corked_at: u64,
}

impl State {
    pub(super) fn new(
        role: proto::Role,
        config: proto::Config,
        transport: Transport,
        idle: Duration,
        paused: bool,
    ) -> Self {
        Self {
            proto: proto::Connection::new(role, config),
            transport,
            is_tcp: false,
            ends: Ends::default(),
            lending: Lending::None,
            output: Output::default(),
            flow: Flow::Open,
            input: Input::new(),
            tapped: false,
            asked: role == proto::Role::Server,
            expected: false,
            paused,
            eof: false,
            hung_up: false,
            fin: Fin::None,
            tells_fin: false,
            filled: false,
            ending: Ending::None,
            notice: Notice::None,
            was_met: false,
            tells_rest: false,
            starving: false,
            attention: false,
            task: None,
            timing: Timing::new(clock::now(), idle),
            exchanges: Exchanges::default(),
            metered: Metered::default(),
            admission: None,
            close_noted: None,
            close_counted: false,
            virgin: true,
            bytes_read: 0,
            bytes_written: 0,
            taken_at_end: 0,
            lost: 0,
            corked_at: 0,
        }
    }

    // Input.

    /// True if so many answers are owed that no more is read before one is said. What a peer has said when it hangs up is heard all
    /// the same, and then that it has: the kernel's buffer bounds it.
    fn is_far_ahead(&self) -> bool {
        self.asked && !self.hung_up && self.proto.outstanding() >= READ_AHEAD
    }

    /// True if neither JavaScript nor the peer's end stops the driver's reading: only answers that are owed, or limits, may.
    pub(super) fn goes_on_reading(&self) -> bool {
        !self.paused && !self.eof && !self.tapped && self.input.mode != Mode::Held
    }

    /// True if nothing but answers that are owed stops the driver's reading.
    pub(super) fn awaits_answers(&self) -> bool {
        self.goes_on_reading() && self.is_far_ahead()
    }

    /// True if the answers that are owed, and the requests that were sent, let more be parsed.
    pub(super) fn may_parse(&self) -> bool {
        self.input.mode != Mode::Held && self.asked && !self.is_far_ahead()
    }

    /// True if bytes may be read. What they mean need not be known yet; but nothing is read while something waits.
    pub(super) fn may_read(&self) -> bool {
        !self.paused
            && !self.eof
            && (self.tapped
                || ((self.input.is_empty() || input::overtakes())
                    && self.input.mode != Mode::Held
                    && !self.is_far_ahead()))
    }

    /// True if the JS thread may read by itself: there is nothing about the connection that only the driver sees to.
    pub(super) fn is_plain(&self) -> bool {
        !self.paused
            && !self.eof
            && !self.tapped
            && self.fin == Fin::None
            && self.input.mode == Mode::Parsing
            && self.input.is_empty()
            && self.may_parse()
    }

    // Output.

    /// True if nothing is on its way, or waiting, to the kernel.
    pub(super) fn is_written(&self) -> bool {
        self.flow == Flow::Open && self.output.is_empty()
    }

    pub(super) fn is_in_flight(&self) -> bool {
        matches!(self.flow, Flow::InFlight { .. })
    }

    fn in_flight(&self) -> (usize, usize) {
        match self.flow {
            Flow::InFlight { len, untaken, .. } => (len, untaken),
            Flow::Open | Flow::Blocked => (0, 0),
        }
    }

    /// True if some of what has not left is JavaScript's memory.
    fn is_borrowed(&self) -> bool {
        self.output.is_borrowed() || matches!(self.flow, Flow::InFlight { borrowed: true, .. })
    }

    /// Bytes that are on their way, or waiting, to the kernel.
    pub(super) fn output_len(&self) -> usize {
        self.in_flight().0 + self.output.len()
    }

    /// Gives up what is in flight, if anything is: the thread that wrote it met a bug, and does not put it back. Returns its bytes.
    pub(super) fn forget_in_flight(&mut self) -> usize {
        let (len, _) = self.in_flight();
        if self.is_in_flight() {
            self.flow = Flow::Open;
        }
        len
    }

    /// All that was said, whether it has left or not.
    pub(super) fn said(&self) -> u64 {
        self.bytes_written + (self.in_flight().0 + self.output.len()) as u64 + self.lost
    }

    /// Bytes said that do not count as taken.
    pub(super) fn untaken(&self) -> usize {
        self.live_untaken() + self.lost as usize
    }

    /// Those of them that may still be taken: they were not lost.
    pub(super) fn live_untaken(&self) -> usize {
        self.output.untaken() + self.in_flight().1
    }

    /// How many bytes, of all that was ever said, count as taken.
    pub(super) fn taken(&self) -> u64 {
        if self.ending == Ending::Closed {
            self.taken_at_end
        } else {
            self.said() - self.untaken() as u64
        }
    }

    /// True if so little is here that a writer may go on: no more than counts as taken, and the kernel is not full.
    pub(super) fn has_room(&self) -> bool {
        let (len, _) = self.in_flight();
        !self.has_failed() && self.flow != Flow::Blocked && len + self.output.len() <= TAKEN_MAX
    }

    /// Counts everything that was said as taken from now on. False, and nothing changes, if the rule does not allow it.
    ///
    /// It does if there is room for it ([`State::has_room`]) and if all of it is ours: memory that JavaScript can still
    /// change does not count before it is written. What counts as taken reaches the peer though the connection
    /// is destroyed or the process ends, as bytes in a kernel's send buffer do (`linger`). That is never undone: when
    /// the socket fails, it is lost as those would be.
    pub(super) fn take(&mut self) -> bool {
        if self.untaken() == 0 {
            return true;
        }
        let takes = self.has_room() && !self.is_borrowed();
        if takes {
            self.output.accept();
            if let Flow::InFlight { untaken, .. } = &mut self.flow {
                *untaken = 0;
            }
        }
        takes
    }

    /// True if what JavaScript waits for is taken, or has room, now. It waits no longer then.
    pub(super) fn meets_notice(&mut self) -> bool {
        if self.has_failed() {
            // What was not taken is lost, and CLOSED tells of it.
            return false;
        }
        let meets = match self.notice {
            Notice::None => false,
            Notice::Taken(at) => self.taken() >= at || self.take(),
            Notice::Room => self.has_room(),
        };
        if meets {
            self.notice = Notice::None;
        }
        meets
    }

    /// True if nothing waits to be written, once, if that is to be told.
    pub(super) fn meets_rest(&mut self) -> bool {
        let rests = self.ending == Ending::Closed || self.is_written();
        rests && std::mem::take(&mut self.tells_rest)
    }

    /// Counts `len` bytes that are said on a connection that has ended, of which JavaScript has not heard yet: they
    /// wait for ever, so that a writer that heeds back-pressure stops, and hears of the end. Returns the bytes that are
    /// untaken.
    pub(super) fn lose(&mut self, len: usize) -> usize {
        self.lost += len as u64;
        self.untaken()
    }

    // What is to be done.

    pub(super) fn is_over(&self) -> bool {
        self.ending == Ending::Closed
    }

    /// True if what JavaScript says is lost: the connection is over, or was answered for the last time without it.
    pub(super) fn is_deaf(&self) -> bool {
        self.is_over() || self.metered.is_refused
    }

    /// True if nothing more will reach the peer but what counts as taken.
    pub(super) fn has_failed(&self) -> bool {
        !matches!(self.ending, Ending::None | Ending::AfterOutput)
    }

    pub(super) fn end(&mut self, ending: Ending) {
        if ending > self.ending {
            self.ending = ending;
        }
        if ending == Ending::AfterOutput && self.fin == Fin::None {
            self.fin = Fin::Wanted;
        }
        self.attention = true;
    }

    /// What the driver has to do next. `has_window` tells that JavaScript has room for events of this connection.
    pub(super) fn duty(&self, has_window: bool) -> Duty {
        if self.ending == Ending::Closed {
            return Duty::Rest;
        }
        if self.lending == Lending::Returned {
            return Duty::TakeBack;
        }
        if self.ending >= Ending::Now || self.has_failed() {
            // What counts as taken may be in flight, and some of it come back.
            return if self.is_in_flight() {
                Duty::Rest
            } else {
                Duty::Finish
            };
        }
        if !self.input.is_empty() && self.may_parse() && !self.tapped && has_window {
            return Duty::Parse;
        }
        if !self.is_written() {
            // The writing thread looks again when that is done.
            return Duty::Rest;
        }
        if self.metered.pending.is_some() && self.proto.outstanding() <= 1 {
            return Duty::EndCut;
        }
        match self.fin {
            Fin::Wanted => return Duty::Fin,
            Fin::Sent if self.eof || self.ending == Ending::AfterOutput => return Duty::Finish,
            Fin::Sent | Fin::None => {}
        }
        if self.lending == Lending::Asked {
            return Duty::Lend;
        }
        Duty::Rest
    }

    /// True if there is anything for the driver, now that a write has ended. The thread that wrote asks, under the lock.
    pub(super) fn needs_driver(&self, has_window: bool) -> bool {
        #[cfg(test)]
        if model::is_put_back(Fault::LostWake) && self.ending == Ending::AfterOutput {
            return self.attention || self.flow == Flow::Blocked;
        }
        self.attention || self.flow == Flow::Blocked || self.duty(has_window) != Duty::Rest
    }

    /// True if core's loop (libuv's `uv__read`), which goes on for as long as reads fill their buffer, would read once
    /// more before FIN goes out.
    pub(super) fn reads_before_fin(&self) -> bool {
        self.filled && self.proto.receiving() && self.may_read()
    }

    /// Server: true if there is one request, to which nothing was said. Then nothing that the peer is to read is lost
    /// with a reset.
    pub(super) fn is_refused(&self) -> bool {
        !self.proto.is_answering()
            && self.proto.outstanding() == 1
            && self.fin == Fin::None
            && self.is_written()
    }

    /// Ends the connection: later calls find it closed. Returns the socket, to be let go of without the lock.
    pub(super) fn close(&mut self) -> Transport {
        self.taken_at_end = self.taken();
        self.lost += (self.output.len() + self.in_flight().0) as u64;
        // What waits in a tapped connection JavaScript still asks for, unless it has destroyed that: it was told so before CLOSED,
        // and before the end of the stream, which without it would cut a message.
        if !self.tapped || self.ending >= Ending::Now {
            self.input.clear();
        }
        let remembers =
            self.ending <= Ending::AfterOutput && self.proto.role() == proto::Role::Server;
        self.ending = Ending::Closed;
        self.output = Output::default();
        self.task = None;
        self.admission = None;
        if let Some(socket) = self
            .transport
            .socket()
            .filter(|_| remembers || !self.is_tcp)
        {
            self.ends.note(socket, remembers);
        }
        std::mem::replace(&mut self.transport, Transport::None)
    }

    pub(super) fn socket(&self) -> Option<Arc<Socket>> {
        self.transport.socket().map(Arc::clone)
    }
}
