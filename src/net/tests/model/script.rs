//! The JS thread: a program at random, and the end of each tick as in `binding/flush.rs` and `binding/lending.rs`.

mod events;
mod flush;
mod handover;
mod loans;
mod outcome;
mod saying;

use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use http_native_proto::Role;
use socket2::Socket;

use super::crowd::Crowd;
use super::peer::Plan;
use super::random::{Often, Random};
use super::{Progress, QUIET, SERVER, step};
use crate::net::batch::{ReadBuffer, read_buffer};
use crate::net::connection::Connection;
use crate::net::poll_set::PollSet;
use crate::net::shared::{Command, Shared};

/// How JavaScript ends the connection. Nothing is said behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    None,
    Shutdown,
    Close,
    Destroy,
    Reset,
    /// The socket is JavaScript's own.
    Surrender,
}

/// A message whose body is not said to its end.
struct Saying {
    left: usize,
    last: bool,
}

/// What it may do in a tick; and two of these things, which it does also where it answers all.
const CHOICES: usize = 21;
const TAKE: usize = 5;
const COMPUTE: usize = 18;

/// The shortest time that is set, and one that is longer than any, in milliseconds.
const SHORTEST: u64 = 3;
const MINUTE: u64 = 60_000;

/// Bytes that are less than any socket's buffer.
const ALWAYS_TAKEN: usize = 1000;

pub(super) struct Script {
    connection: Arc<Connection>,
    socket: Weak<Socket>,
    shared: Arc<Shared>,
    crowd: Arc<Crowd>,
    plan: Arc<Plan>,
    progress: Arc<Progress>,
    random: Random,
    scratch: ReadBuffer,
    wrong: Vec<String>,
    /// Which things this program does: a bit each.
    does: u64,
    /// Things left to do at random before all is brought to its end.
    left: usize,
    /// Nothing is answered before the peer has ended its side.
    neglects: bool,
    /// It ends when all is answered.
    end: End,
    ended: End,
    /// It ends while the other thread writes, if that does.
    ends_in_flight: bool,
    /// Ticks to wait for that: output that no thread writes any more would be waited for for ever.
    patience: usize,
    /// How often a body is said in parts.
    splits: Often,
    /// How often what was said is put in for the I/O thread, while the turn goes on.
    puts: Often,
    /// How often the I/O thread writes what a turn has said.
    leaves: Often,
    /// Bytes that were known to count as taken when it did.
    promised: u64,
    marked: bool,
    /// What was said was put in for the I/O thread, for this round.
    put: Option<usize>,
    /// There may be room in all that there was not before.
    relieves: bool,
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
    /// A client's requests that were begun, and those that are answered.
    asked: usize,
    answered: usize,
    /// The next was told of before it is begun.
    expects: bool,
    tapped: bool,
    given: Option<UnixStream>,
    /// EXPIRED came, or comes still when all has been heard.
    expired: bool,
    asks: bool,
    awaits_drain: bool,
    /// Of what it has said.
    awaits_taken: bool,
    awaits_rest: bool,
    awaits_lent: bool,
    /// While it is lent.
    lent: Option<Arc<Socket>>,
    set: PollSet,
    eof: bool,
    closed: bool,
}

impl Script {
    pub(super) fn new(
        connection: Arc<Connection>,
        socket: Weak<Socket>,
        shared: Arc<Shared>,
        crowd: Arc<Crowd>,
        plan: Arc<Plan>,
        progress: Arc<Progress>,
        mut random: Random,
    ) -> Self {
        use End::{Close, Destroy, None as Open, Reset, Shutdown};
        let choices = [
            Open, Open, Shutdown, Shutdown, Close, Close, Destroy, Destroy, Reset, Reset,
        ];
        let end = random.of(&choices);
        let most = random.of(&[1, 20, 60]);
        let left = random.below(most);
        let does = random.next() | 1;
        let ends_in_flight = matches!(end, Destroy | Reset) && random.once_in(2);
        let neglects = plan.role == Role::Server && random.once_in(6);
        let splits = random.often();
        let puts = random.often();
        let leaves = random.often();
        Self {
            connection,
            socket,
            shared,
            crowd,
            plan,
            progress,
            random,
            scratch: read_buffer(),
            wrong: Vec::new(),
            does,
            left,
            neglects,
            end,
            ended: End::None,
            ends_in_flight,
            patience: 20,
            splits,
            puts,
            leaves,
            promised: 0,
            marked: false,
            put: None,
            relieves: false,
            said: Vec::new(),
            saying: None,
            requests: 0,
            owed: VecDeque::new(),
            held: None,
            left_http: None,
            raw: Vec::new(),
            asked: 0,
            answered: 0,
            expects: false,
            tapped: false,
            given: None,
            expired: false,
            asks: false,
            awaits_drain: false,
            awaits_taken: false,
            awaits_rest: false,
            awaits_lent: false,
            lent: None,
            set: PollSet::new().unwrap(),
            eof: false,
            closed: false,
        }
    }

    /// Plays until nothing comes any more, and then until all times have passed.
    pub(super) fn play(&mut self) {
        self.begin_loan();
        if self.lent.is_some() {
            // As when it was accepted.
            self.act_on_lent();
        }
        self.play_on();
        // A driver that looks at its deadlines would find what it was not woken for.
        self.check_heard("before its time");
        self.check_told("before its time");
        self.progress.pass(MINUTE);
        self.play_on();
        self.expired &= self.requests == 0;
        self.expire(1);
        self.play_on();
    }

    fn play_on(&mut self) {
        let progress = Arc::clone(&self.progress);
        let mut rounds = 0;
        while rounds < QUIET {
            let before = progress.now();
            // A tick of this thread, and then something of each other.
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
        self.read_lent();
        self.read_given();
        if !self.closed {
            self.act();
        } else if self.has_heard_all() {
            self.leave_given();
        }
        if self.asks && !self.closed {
            if self.random.once_in(2) {
                // An earlier write of the tick.
                self.connection.write_owed(1);
                step();
            }
            self.asks = false;
            self.marked = true;
            if self.connection.write_now() {
                self.awaits_drain = false;
                self.awaits_taken = false;
            }
        }
        if std::mem::take(&mut self.marked) && !self.closed {
            self.flush();
        }
        if std::mem::take(&mut self.relieves) {
            self.relieve();
        }
    }

    // What JavaScript does.

    fn act(&mut self) {
        if self.left == 0 {
            self.bring_to_its_end();
            return;
        }
        if self.ends_in_flight
            && (self.has_heard_all() || self.random.once_in(4))
            && self.connection.is_in_flight()
        {
            // Where the other thread has to do what this one cannot.
            self.end(self.end);
            self.progress.moved();
            return;
        }
        for _ in 0..=self.random.below(3) {
            self.left = self.left.saturating_sub(1);
            self.do_something();
            self.progress.moved();
        }
    }

    fn do_something(&mut self) {
        let mut choice = self.random.below(CHOICES);
        while !self.does(choice) {
            choice = self.random.below(CHOICES);
        }
        match choice {
            0..=3 => self.answer(),
            4 => self.decide(),
            TAKE | 6 => self.take(),
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
            13 if self.random.once_in(2) => self.tap(),
            14 => self.expect(),
            15 => {
                let idle = self.random.of(&[0, SHORTEST, 20]);
                self.connection.set_timeout(Duration::from_millis(idle));
                self.marked = true;
            }
            // The end of its trial, without a driver.
            16 if self.random.once_in(8) && self.connection.is_undriven() && !self.closed => {
                if self.lent.is_some() && self.random.once_in(2) {
                    self.end_loan();
                } else {
                    self.attend();
                }
            }
            16 => self.progress.pass(self.random.of(&[1, 2, 10])),
            17 => self.expire(5),
            COMPUTE => self.compute(),
            19 => self.shared.queue.wake.narrow(self.random.once_in(2)),
            _ if self.random.once_in(4) => self.end(self.end),
            _ => {}
        }
    }

    /// Has DRAIN told when all that was said counts as taken, if it does not yet.
    fn take(&mut self) {
        let asks = self.random.once_in(2);
        if self.connection.take(0, asks) != 0 {
            self.awaits_drain = true;
            self.awaits_taken = true;
            self.asks |= asks;
            self.marked = true;
        }
    }

    /// True if the program does this at all.
    fn does(&self, choice: usize) -> bool {
        self.does & 1 << choice != 0
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
        if self.held.is_some() && (self.saying.is_none() || self.plan.role == Role::Server) {
            self.decide();
        } else if self.may_ask() || self.may_answer() || self.saying.is_some() {
            if self.does(COMPUTE) && self.random.once_in(8) {
                self.compute();
            }
            self.answer();
            if self.does(TAKE) && self.random.once_in(4) {
                self.take();
            }
            // The end may come in the turn of the last answer.
            let has_more = self.may_ask() || self.may_answer() || self.saying.is_some();
            if !has_more && self.has_heard_all() && self.random.once_in(2) {
                self.end(self.end);
            }
        } else if self.has_heard_all() {
            // Behind the end of the peer's side it closes, as core's server does.
            let end = if self.eof && self.end == End::None {
                End::Close
            } else {
                self.end
            };
            if end == End::None {
                return;
            }
            // The other thread has been told to write, and is about to.
            let waits = self.ends_in_flight && self.patience > 0 && self.connection.has_output();
            if waits && !self.connection.is_in_flight() {
                self.patience -= 1;
            } else {
                self.end(end);
            }
        } else {
            return;
        }
        self.progress.moved();
    }

    /// Asks which message takes longer than so many milliseconds.
    fn expire(&mut self, millis: u64) {
        if self.plan.role == Role::Server && self.connection.is_undriven() && self.lent.is_some() {
            let time = Duration::from_millis(millis);
            self.connection.expire_now(time, time);
        }
        let expire = Command::Expire {
            server: SERVER,
            headers: Duration::from_millis(millis),
            request: Duration::from_millis(millis),
        };
        self.shared.mailbox.deliver([expire]);
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
            End::None | End::Surrender => return,
            End::Shutdown => self.connection.shutdown(false),
            End::Close => self.connection.close(),
            End::Destroy => self.destroy(),
            End::Reset => self.connection.reset(),
        }
        self.ended = end;
        self.marked = true;
        if self.lent.is_some() && self.connection.is_undriven() && self.random.once_in(2) {
            self.act_on_lent();
        }
    }

    fn destroy(&mut self) {
        self.promised = self.connection.taken();
        // It has nothing to say that would be lost, and the kernel takes all that is written.
        let hears = self.connection.lock().bytes_read == self.plan.bytes.len() as u64
            && self.said.len() < ALWAYS_TAKEN;
        self.connection.destroy(false);
        let closes = self.lent.is_some() && self.connection.is_undriven();
        if hears && !closes && !self.plan.drops && !self.has_peer_heard() {
            self.wrong
                .push("destroyed, and the peer has not heard of it".to_owned());
        }
    }
}
