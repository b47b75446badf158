//! The two threads of a connection in every order: the I/O thread's commands, drivers and flushes, and a JS thread that
//! does something at random, run as coroutines of `shuttle` on one system thread.
//!
//! It is the code itself that runs, not a copy: one thread gives way to another only where it is about to get the
//! connection's lock ([`step`]), and so also between a system call and what follows from it, and between the flags by
//! which the mailbox and the event queue wake. Socket and reactor are the kernel's, a pair of Unix sockets with a small
//! buffer, which tell their readiness at once: a seed always gives the same order. Time stands still until the script moves it
//! on, so a wake that is lost stays lost, and a deadline that is not watched is missed. Only what JavaScript and the binding do
//! is made up (`script`): as a server's connection or a client's, read by either thread (lent sockets lie in the poll set of the
//! binding; they may be from the beginning, without a driver), tapped, or given away; and what other connections tell
//! meanwhile, which fills the room for events in all (`crowd`). A program does half of the things that there are, and some of them
//! seldom or nearly always ([`random::Often`]): orders that need the same thing many times, or the absence of another, come up so.
//!
//! `HTTP_NATIVE_MODEL_ITERATIONS` plays so many orders, for hours if need be, from the seed `HTTP_NATIVE_MODEL_SEED` on.

mod crowd;
mod faults;
mod peer;
mod random;
mod script;

use std::cell::Cell;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_native_proto::{Config, Role};
use shuttle::scheduler::RandomScheduler;
use socket2::Socket;

use crate::net::connection::{Connection, Event, EventQueue, Wake};
use crate::net::ids::Ids;
use crate::net::io_thread::IoThread;
use crate::net::options::{Accepted, ServerOptions};
use crate::net::reactor;
use crate::net::shared::{Command, Shared};
use crate::net::state::Flow;
use crate::net::transport::Transport;
use crate::net::watched_loans::Loan;
use crowd::{Crowd, CrowdThread};
pub(in crate::net) use faults::Fault;
use peer::{Peer, Plan};
use random::Random;
use script::Script;

thread_local! {
    static RUNS: Cell<bool> = const { Cell::new(false) };
    static FAULT: Cell<Option<Fault>> = const { Cell::new(None) };
    static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The time in the model; none outside of it.
pub(in crate::net) fn now() -> Option<Instant> {
    NOW.get()
}

/// In the model, the place where other threads may come between.
pub(in crate::net) fn step() {
    if RUNS.get() && !std::thread::panicking() {
        shuttle::thread::yield_now();
    }
}

/// In the model, a system call that takes as long as others need for several things.
pub(in crate::net) fn lasts() {
    for _ in 0..8 {
        step();
    }
}

pub(in crate::net) fn is_put_back(fault: Fault) -> bool {
    FAULT.get() == Some(fault)
}

/// Where CLOSED may be told too early, if that fault is put back.
pub(in crate::net) fn tells_early(shared: &Shared, closed: &Event) {
    if let Event::Closed {
        id,
        errno,
        syscall,
        is_destroyed,
    } = *closed
        && is_put_back(Fault::ToldEarly)
    {
        shared.queue.push(Event::Closed {
            id,
            errno,
            syscall,
            is_destroyed,
        });
        lasts();
    }
}

/// How far each has come.
#[derive(Default)]
struct Progress {
    io_turns: AtomicU64,
    peer_turns: AtomicU64,
    /// What happened that another thread may have to react to.
    moves: AtomicU64,
    over: AtomicBool,
    /// What the JS thread's event loop was woken for.
    signaled: AtomicBool,
    /// Milliseconds that have passed, by the script.
    time: AtomicU64,
}

struct Now {
    io_turns: u64,
    peer_turns: u64,
    moves: u64,
}

impl Progress {
    /// Moves the time on.
    fn pass(&self, millis: u64) {
        self.time.fetch_add(millis, Ordering::SeqCst);
        NOW.set(NOW.get().map(|now| now + Duration::from_millis(millis)));
        self.moved();
    }

    fn passed(&self) -> u64 {
        self.time.load(Ordering::SeqCst)
    }

    fn moved(&self) {
        self.moves.fetch_add(1, Ordering::SeqCst);
    }

    fn now(&self) -> Now {
        Now {
            io_turns: self.io_turns.load(Ordering::SeqCst),
            peer_turns: self.peer_turns.load(Ordering::SeqCst),
            moves: self.moves.load(Ordering::SeqCst),
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}

/// The listener's id.
const SERVER: u32 = 0;

/// Rounds of all threads without a move after which nothing will come any more.
const QUIET: u64 = 12;

/// The I/O thread: what tokio runs of it, and what it does before it would wait for events.
fn io_thread(
    runtime: &tokio::runtime::Runtime,
    shared: &Shared,
    progress: &Progress,
    mut recall: impl FnMut(),
) {
    let mut passed = 0;
    while !progress.is_over() {
        let time = progress.passed();
        recall();
        runtime.block_on(async {
            if time > passed {
                tokio::time::advance(Duration::from_millis(time - passed)).await;
            }
            // Two passes, each of which asks the reactor without waiting.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
        });
        passed = time;
        shared.queue.publish();
        shared.mailbox.fall_asleep();
        step();
        shared.mailbox.wake_up();
        progress.io_turns.fetch_add(1, Ordering::SeqCst);
    }
}

fn pair(random: &mut Random) -> io::Result<(Socket, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    let ours = Socket::from(ours);
    ours.set_send_buffer_size(random.of(&[1, 16 * 1024, 64 * 1024]))?;
    Ok((ours, theirs))
}

impl Connection {
    /// True if it was idle for too long, and that was not told.
    fn is_overdue(&self) -> bool {
        let state = self.lock();
        let deadline = state.timing.idle_deadline();
        deadline.zip(now()).is_some_and(|(due, now)| due <= now)
    }

    /// True if a thread writes.
    fn is_in_flight(&self) -> bool {
        self.lock().is_in_flight()
    }

    /// True if no thread writes what the kernel would take.
    fn is_left_unwritten(&self) -> bool {
        let state = self.lock();
        state.flow == Flow::Open && !state.output.is_empty() && !state.has_failed()
    }

    /// Its state, as a help to find the cause.
    fn shows(&self) -> String {
        let state = self.lock();
        let duty = state.duty(true);
        format!(
            "{:?}, {duty:?} is left; flow {:?}, {} bytes of output, fin {:?}, ending {:?}, {:?}, input {:?}, notice {:?}, \
             attention {}, paused {}, eof {}, {} outstanding, {} bytes read, {} events wait, \
             tapped {}, asked {}, starving {}, {} bytes of input",
            self.role,
            state.flow,
            state.output.len(),
            state.fin,
            state.ending,
            state.lending,
            state.input.mode,
            state.notice,
            state.attention,
            state.paused,
            state.eof,
            state.proto.outstanding(),
            state.bytes_read,
            self.queue().map_or(0, |queue| queue.lock().events.len()),
            state.tapped,
            state.asked,
            state.starving,
            state.input.len(),
        )
    }
}

/// One order of one program. What went wrong is in `wrong` then.
fn run(seed: u64, wrong: &Mutex<Vec<String>>) {
    let mut random = Random(seed);
    let progress = Arc::<Progress>::default();
    let signal = Arc::clone(&progress);
    let wake = Arc::new(Wake::new(Box::new(move || {
        signal.signaled.store(true, Ordering::SeqCst);
    })));
    let crowd = Arc::new(Crowd::new(Arc::clone(&wake)));
    let queue = Arc::new(EventQueue::new(0, wake));
    let shared = Arc::new(Shared::new(Arc::clone(&queue), Arc::<Ids>::default()));
    let runtime = IoThread::runtime(&shared).unwrap();
    let (ours, theirs) = pair(&mut random).unwrap();
    let ours = Arc::new(ours);
    let transport = Transport::Socket(Arc::clone(&ours));
    let socket = Arc::downgrade(&ours);
    NOW.set(Some(runtime.block_on(async {
        tokio::time::pause();
        tokio::time::Instant::now().into_std()
    })));
    let config = Config::default();
    let role = random.of(&[Role::Server, Role::Server, Role::Client]);
    let queue = Some(Arc::clone(&queue));
    let server = (role == Role::Server).then(|| Arc::new(server(&mut random, config)));
    let mut connection = Connection::new(0, role, config, queue, server, Arc::default(), transport);
    let is_undriven = random.once_in(3);
    if is_undriven {
        connection.begin_undriven();
    }
    let connection = Arc::new(connection);
    runtime.spawn(Arc::clone(&shared).work());
    if is_undriven {
        // It is closed with the connection.
        drop(ours);
    } else {
        let _reactor = runtime.enter();
        let socket = Some(reactor::register(ours).unwrap());
        let connection = Arc::clone(&connection);
        let drive = Command::Drive { connection, socket };
        shared.mailbox.deliver([drive]);
    }

    let plan = Arc::new(Plan::new(role, &mut random));
    let io = {
        let (shared, progress) = (Arc::clone(&shared), Arc::clone(&progress));
        let connection = Arc::clone(&connection);
        let mut random = Random(random.next());
        // As if the server had limits and JavaScript were busy. Connections that have no driver are of no such server.
        let recalls = random.once_in(2) && !is_undriven;
        let recall = move || {
            if recalls && random.once_in(4) {
                connection.goes_on(true);
            }
        };
        shuttle::thread::spawn(move || {
            io_thread(&runtime, &shared, &progress, recall);
            // As at the end of an I/O thread. Here, where its tasks ran: they end, and their sockets close.
            shared.connections().clear();
            drop(runtime);
        })
    };
    let peer = {
        let (plan, progress) = (Arc::clone(&plan), Arc::clone(&progress));
        let mut peer = Peer::new(theirs, plan, Random(random.next()));
        shuttle::thread::spawn(move || {
            while !progress.is_over() {
                peer.turn(&progress);
                progress.peer_turns.fetch_add(1, Ordering::SeqCst);
                step();
            }
            peer
        })
    };
    let others = {
        let (mut thread, progress) = (
            CrowdThread::new(Arc::clone(&crowd), Random(random.next())),
            Arc::clone(&progress),
        );
        shuttle::thread::spawn(move || {
            while thread.turn(&progress) {
                step();
            }
        })
    };
    let mut script = Script::new(
        connection,
        socket,
        Arc::clone(&shared),
        crowd,
        plan,
        Arc::clone(&progress),
        random,
    );
    script.play();
    progress.over.store(true, Ordering::SeqCst);
    io.join().unwrap();
    others.join().unwrap();
    let peer = peer.join().unwrap();
    shared.mailbox.close();
    wrong.lock().unwrap().extend(script.judge(&peer));
    NOW.set(None);
}

/// A server's options; its connections may be accepted as paused.
fn server(random: &mut Random, config: Config) -> ServerOptions {
    let accepted = Accepted {
        no_delay: false,
        keep_alive: None,
    };
    let server = ServerOptions::new(SERVER, config, accepted, Arc::default());
    let (keep_alive, idle) = (random.of(&[0, 5, 5]), random.of(&[0, 0, 20]));
    server.configure(keep_alive, idle, random.once_in(3));
    server
}

fn shuttle_config() -> shuttle::Config {
    let mut config = shuttle::Config::new();
    // A read buffer passes over the stack.
    config.stack_size = 1024 * 1024;
    // The seed tells it.
    config.failure_persistence = shuttle::FailurePersistence::None;
    config
}

/// Plays seeds until something is wrong: then the seed and what it is. Otherwise, or when the time is up, how many.
fn explore(fault: Option<Fault>, seeds: u64, time: Duration) -> Result<u64, String> {
    let first = from_environment("HTTP_NATIVE_MODEL_SEED").unwrap_or(0);
    let began = Instant::now();
    FAULT.set(fault);
    RUNS.set(true);
    let mut found = Ok(seeds);
    for count in 0..seeds {
        if began.elapsed() >= time {
            found = Ok(count);
            break;
        }
        let seed = first + count;
        let wrong = Arc::<Mutex<Vec<String>>>::default();
        let told = Arc::clone(&wrong);
        let scheduler = RandomScheduler::new_from_seed(seed, 1);
        shuttle::Runner::new(scheduler, shuttle_config()).run(move || run(seed, &told));
        let wrong = wrong.lock().unwrap();
        if !wrong.is_empty() {
            found = Err(format!("seed {seed}: {}", wrong.join("; ")));
            break;
        }
    }
    RUNS.set(false);
    FAULT.set(None);
    found
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Orders of a test run, if eight seconds are enough.
const SEEDS: u64 = 4_000;

#[test]
fn whatever_the_order_all_is_written_and_all_are_told() {
    let asked = from_environment("HTTP_NATIVE_MODEL_ITERATIONS");
    let time = if asked.is_some() {
        Duration::MAX
    } else {
        Duration::from_secs(8)
    };
    let began = Instant::now();
    match explore(None, asked.unwrap_or(SEEDS), time) {
        Ok(played) => println!("{played} orders in {:?}", began.elapsed()),
        Err(wrong) => panic!("{wrong}"),
    }
}
