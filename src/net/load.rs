//! Which thread should have the sockets of an environment's connections, by what comes and how busy JavaScript is.
//!
//! While few requests come at a time, the JS thread reads and writes by itself: waking an I/O thread only for that one to
//! wake the JS thread costs more than the system calls. When many come at a time, batches of the I/O threads cost less; and
//! when JavaScript is busy, it has no time for system calls that another thread can make.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Heads that the I/O threads bring at a time, on average, up to which sockets are lent, and heads in a turn of the event loop
/// beyond which they are returned. The same connections bring more in one when they are lent.
const FEW: u32 = 12;
const MANY: u32 = 32;

/// The average's unit, and the weight of the turns of the loop before in it.
const UNIT: u32 = 64;
const WEIGHT: u32 = 16;

/// The span over which it is measured whether JavaScript is busy: at least so many heads and so long, or fewer in longer.
const SPAN: u32 = 512;
const SPAN_TIME: Duration = Duration::from_millis(50);
const QUIET_SPAN: u32 = 16;
const QUIET_SPAN_TIME: Duration = Duration::from_millis(100);

/// Percent of a span, from which on JavaScript counts as busy: the I/O threads should do what they can.
const BUSY: u64 = 90;

/// Percent of the heads that came in the same time while the JS thread had the sockets: if fewer come when the I/O threads
/// have them, these cost more than they free.
const WORSE: u64 = 95;

/// Heads to wait after a trial before the next: it has shown which thread should have the sockets. Twice as many each time that
/// the next shows the same. And half as many before the first: rates rise while V8 compiles what a process does first. A span counts as
/// [`SPAN`] heads at least, since a few large bodies can fill one.
const PATIENCE: u32 = 16 * SPAN;
const PATIENCE_MAX: u32 = 32 * PATIENCE;

/// Heads from the I/O threads, less those of lent sockets, after which the loans end: the load is elsewhere.
const STRIKES: u32 = 256;

/// Heads to wait after the loans have ended for the load before lending again; twice as many each time.
const COOLDOWN: u32 = 1024;
const COOLDOWN_MAX: u32 = 64 * COOLDOWN;

/// The same of connections that are accepted.
const FEW_ACCEPTED: u32 = 8;
const MANY_ACCEPTED: u32 = 24;

/// What was counted. Lives on the JS thread.
pub(crate) struct Load {
    /// Heads of this turn of the loop.
    heads: Cell<u32>,
    /// The average number of heads in a turn of the loop, in units.
    average: Cell<u32>,
    /// Connections that were accepted in this turn of the loop, and on average, in units.
    accepted: Cell<u32>,
    average_accepted: Cell<u32>,
    /// Connections to wait for before they are accepted on the JS thread again, and the next time.
    accepted_elsewhere: Cell<u32>,
    next_accepted_elsewhere: Cell<u32>,
    strikes: Cell<u32>,
    cooldown: Cell<u32>,
    next_cooldown: Cell<u32>,
    span: Cell<Span>,
    /// JavaScript was busy in the last span.
    busy: Cell<bool>,
    /// The loans have ended since JavaScript was busy: heads a second until then. 0 if it is known whether that helps.
    on_trial: Cell<u64>,
    /// Heads to wait before they may end for that.
    patience: Cell<u32>,
    next_patience: Cell<u32>,
    /// What the last trial has shown: it is better that the I/O threads have the sockets.
    freed: Cell<bool>,
}

/// A span of time, from its beginning on.
#[derive(Clone, Copy, Default)]
struct Span {
    heads: u32,
    began: Option<Instant>,
    /// How long the event loop had waited for events by then, ns.
    idle: u64,
}

/// A span that has ended.
struct Ended {
    /// JavaScript was busy.
    busy: bool,
    /// Heads a second.
    rate: u64,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            heads: Cell::default(),
            average: Cell::default(),
            accepted: Cell::default(),
            average_accepted: Cell::default(),
            accepted_elsewhere: Cell::default(),
            next_accepted_elsewhere: Cell::default(),
            strikes: Cell::default(),
            cooldown: Cell::default(),
            next_cooldown: Cell::default(),
            span: Cell::default(),
            busy: Cell::default(),
            on_trial: Cell::default(),
            patience: Cell::new(PATIENCE / 2),
            next_patience: Cell::default(),
            freed: Cell::default(),
        }
    }
}

impl Load {
    /// What comes from now on comes in another turn of the loop.
    pub(crate) fn begin_turn(&self) {
        let heads = self.heads.take();
        if heads != 0 {
            let average = self.average.get();
            self.average
                .set(average - average / WEIGHT + heads.min(1024) * (UNIT / WEIGHT));
        }
        let accepted = self.accepted.take();
        if accepted != 0 {
            let average = self.average_accepted.get();
            self.average_accepted
                .set(average - average / WEIGHT + accepted.min(1024) * (UNIT / WEIGHT));
        }
    }

    /// Counts a head that is on its way to JavaScript, of a socket that is lent or not, if any is.
    pub(crate) fn saw_head(&self, lent: Option<bool>) {
        self.heads.set(self.heads.get() + 1);
        let mut span = self.span.get();
        span.heads += 1;
        self.span.set(span);
        self.wait(1);
        match lent {
            None => {}
            Some(true) => self.strikes.set(self.strikes.get().saturating_sub(1)),
            Some(false) => self.strikes.set(self.strikes.get() + 1),
        }
    }

    /// Counts heads, or what stands for them, off what there is to wait for.
    fn wait(&self, heads: u32) {
        self.cooldown.set(self.cooldown.get().saturating_sub(heads));
        self.patience.set(self.patience.get().saturating_sub(heads));
    }

    /// Counts a connection of which JavaScript is told, whichever thread has accepted it.
    pub(crate) fn saw_accept(&self) {
        self.accepted.set(self.accepted.get() + 1);
        let elsewhere = self.accepted_elsewhere.get();
        self.accepted_elsewhere.set(elsewhere.saturating_sub(1));
    }

    /// True if the JS thread should accept: few come at a time. Whether JavaScript is busy decides nothing: a connection that an I/O
    /// thread accepts is told of, and closed, by wakes, which cost the JS thread as much.
    pub(crate) fn may_accept(&self) -> bool {
        self.average.get() <= FEW * UNIT
            && self.average_accepted.get() <= FEW_ACCEPTED * UNIT
            && self.accepted_elsewhere.get() == 0
    }

    /// True if it should do so no longer. It may again after a while.
    pub(crate) fn should_not_accept(&self) -> bool {
        let is_much =
            self.average.get() > MANY * UNIT || self.average_accepted.get() > MANY_ACCEPTED * UNIT;
        if is_much {
            self.accept_elsewhere();
        }
        is_much
    }

    /// Has connections accepted by an I/O thread for a while: longer, the next time.
    pub(crate) fn accept_elsewhere(&self) {
        let next = self.next_accepted_elsewhere.get();
        let next = next.clamp(COOLDOWN, COOLDOWN_MAX);
        self.accepted_elsewhere.set(next);
        self.next_accepted_elsewhere.set(next * 2);
    }

    /// True if sockets should be lent.
    pub(crate) fn are_few(&self) -> bool {
        // That JavaScript is busy says nothing as long as a trial has shown what becomes of that, or none was due.
        let is_busy = self.busy.get() && self.patience.get() == 0;
        self.average.get() <= FEW * UNIT && !is_busy && self.cooldown.get() == 0
    }

    /// True if the loans, if any is running (`lends`), should end: too much comes at a time, or most of it from elsewhere, or
    /// JavaScript is busy. They may begin again after a while. `idle` gives how long the event loop has waited for
    /// events in all, in nanoseconds; 0 if that is not measured.
    pub(crate) fn should_end(&self, lends: bool, now: Instant, idle: impl FnOnce() -> u64) -> bool {
        let ended = self.end_span(now, idle);
        if !lends {
            if let Some(ended) = ended {
                self.judge(&ended);
            }
            return false;
        }
        if self.strikes.get() >= STRIKES || self.average.get() > MANY * UNIT {
            let cooldown = self.next_cooldown.get().clamp(COOLDOWN, COOLDOWN_MAX);
            self.cooldown.set(cooldown);
            self.next_cooldown.set(cooldown * 2);
        } else if let Some(Ended { busy: true, rate }) = ended
            && self.patience.get() == 0
        {
            self.busy.set(true);
            self.on_trial.set(rate);
        } else {
            return false;
        }
        self.strikes.set(0);
        true
    }

    /// Ends the span if it is long enough.
    fn end_span(&self, now: Instant, idle: impl FnOnce() -> u64) -> Option<Ended> {
        let span = self.span.get();
        let elapsed = span.began.map(|began| now - began);
        let lasts =
            |least, heads| span.heads >= heads && elapsed.is_none_or(|elapsed| elapsed >= least);
        if !lasts(SPAN_TIME, SPAN) && !lasts(QUIET_SPAN_TIME, QUIET_SPAN) {
            return None;
        }
        self.wait(SPAN.saturating_sub(span.heads));
        let idle = idle();
        self.span.set(Span {
            heads: 0,
            began: Some(now),
            idle,
        });
        let waited = idle - span.idle;
        let elapsed = elapsed?.as_nanos() as u64;
        Some(Ended {
            // Nothing is known of a loop that does not measure it.
            busy: idle != 0 && elapsed - waited.min(elapsed) >= elapsed / 100 * BUSY,
            rate: u64::from(span.heads) * 1_000_000_000 / elapsed,
        })
    }

    /// Notes whether JavaScript is busy while the I/O threads have the sockets, and what a trial has shown.
    fn judge(&self, ended: &Ended) {
        self.busy.set(ended.busy);
        let before = self.on_trial.take();
        if before == 0 {
            return;
        }
        let freed = ended.rate * 100 >= before * WORSE;
        if freed && ended.busy {
            // Neither thread has time to spare.
            return;
        }
        if self.freed.replace(freed) != freed {
            self.next_patience.set(PATIENCE);
        }
        let patience = self.next_patience.get().clamp(PATIENCE, PATIENCE_MAX);
        self.next_patience.set(patience * 2);
        if freed {
            self.cooldown.set(patience);
        } else {
            self.patience.set(patience);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turns of an event loop whose JS thread has the sockets of the connections below `lent`.
    struct Stage {
        load: Load,
        lent: u32,
        now: Instant,
        idle: u64,
    }

    impl Stage {
        fn new(lent: u32) -> Self {
            Self {
                load: Load::default(),
                lent,
                now: Instant::now(),
                idle: 1,
            }
        }

        /// A turn of the loop that brought heads of these connections, and in which it waited for some of its 1,000 µs. True
        /// if the loans end.
        fn turn(&mut self, heads: std::ops::Range<u32>, idle_us: u64) -> bool {
            self.load.begin_turn();
            for id in heads {
                self.load
                    .saw_head((self.lent != 0).then_some(id < self.lent));
            }
            self.now += Duration::from_millis(1);
            self.idle += idle_us * 1000;
            let idle = self.idle;
            let ends = self.load.should_end(self.lent != 0, self.now, || idle);
            if ends {
                self.lent = 0;
            }
            ends
        }

        /// The first of so many such turns in which the loans end.
        fn ends_in(
            &mut self,
            turns: u32,
            heads: std::ops::Range<u32>,
            idle_us: u64,
        ) -> Option<u32> {
            (0..turns).find(|_| self.turn(heads.clone(), idle_us))
        }

        /// The first of so many such turns behind which sockets may be lent.
        fn lends_in(
            &mut self,
            turns: u32,
            heads: std::ops::Range<u32>,
            idle_us: u64,
        ) -> Option<u32> {
            (0..turns).find(|_| {
                self.turn(heads.clone(), idle_us);
                self.load.are_few()
            })
        }
    }

    #[test]
    fn few_heads_in_a_turn_leave_the_loans_alone_and_many_end_them() {
        let mut stage = Stage::new(16);
        assert_eq!(stage.ends_in(10_000, 0..16, 500), None);
        let mut stage = Stage::new(64);
        assert!(stage.ends_in(200, 0..64, 500).is_some());
        assert!(!stage.load.are_few());
        // Batches of the I/O threads, as those 64 bring them.
        assert_eq!(stage.ends_in(1000, 0..24, 500), None);
        assert!(!stage.load.are_few());
        for _ in 0..1000 {
            stage.turn(0..4, 500);
        }
        assert!(stage.load.are_few());
    }

    /// Turns of the loop that bring so many connections each, with a head of each.
    fn accept(load: &Load, turns: u32, connections: u32) {
        for _ in 0..turns {
            load.begin_turn();
            for _ in 0..connections {
                load.saw_accept();
                load.saw_head(None);
            }
        }
        load.begin_turn();
    }

    #[test]
    fn connections_that_come_many_at_a_time_are_accepted_elsewhere_for_a_while() {
        let load = Load::default();
        accept(&load, 1000, 2);
        assert!(load.may_accept() && !load.should_not_accept());
        accept(&load, 1000, 20);
        assert!(!load.should_not_accept());
        accept(&load, 1000, 40);
        assert!(load.should_not_accept());
        accept(&load, COOLDOWN - 1, 1);
        assert!(!load.may_accept());
        accept(&load, 1, 1);
        assert!(load.may_accept());
        // Longer, the next time.
        accept(&load, 1000, 40);
        assert!(load.should_not_accept());
        accept(&load, COOLDOWN, 1);
        assert!(!load.may_accept());
    }

    #[test]
    fn heads_from_elsewhere_end_the_loans() {
        let mut stage = Stage::new(4);
        assert!(stage.ends_in(1000, 10..12, 500).is_some());
        assert!(!stage.load.are_few());
    }

    #[test]
    fn the_io_threads_keep_the_sockets_while_javascript_is_busy() {
        let mut stage = Stage::new(8);
        assert!(stage.ends_in(PATIENCE / 8, 0..8, 0).is_some());
        for _ in 0..1000 {
            stage.turn(0..8, 10);
            assert!(!stage.load.are_few());
        }
        for _ in 0..200 {
            stage.turn(0..8, 400);
        }
        assert!(stage.load.are_few());
    }

    #[test]
    fn the_io_threads_keep_the_sockets_if_that_frees_javascript_and_costs_nothing() {
        let mut stage = Stage::new(8);
        for times in 1..4 {
            stage.ends_in(1000, 0..8, 0).unwrap();
            // Lent again to see whether that is still so.
            let kept = stage.lends_in(100_000, 0..8, 600).unwrap() * 8;
            assert!(kept > PATIENCE << (times - 1), "{kept}");
            stage.lent = 8;
        }
    }

    #[test]
    fn a_trial_that_costs_more_than_it_frees_is_made_less_and_less_often() {
        let mut stage = Stage::new(0);
        let mut before = 0;
        for trial in 0..4 {
            stage.lent = 8;
            // Busy while it has the sockets, idle while it waits for the I/O threads.
            let turns = stage.ends_in(1_000_000, 0..8, 0).unwrap();
            assert!(
                trial == 0 || turns > before,
                "{turns} turns behind {before}"
            );
            before = if trial == 0 { 0 } else { turns };
            let returns = stage.lends_in(1000, 0..5, 600);
            assert!(returns.is_some_and(|turns| turns < 200), "{returns:?}");
        }
    }

    #[test]
    fn the_io_threads_do_not_keep_the_sockets_if_javascript_is_as_busy_and_less_comes() {
        let mut stage = Stage::new(8);
        stage.ends_in(PATIENCE / 8, 0..8, 0).unwrap();
        let returns = stage.lends_in(200, 0..5, 0);
        assert!(returns.is_some(), "they cost more than they free");
        // And do for as long as there is no reason to try again.
        stage.lent = 8;
        assert_eq!(stage.ends_in(PATIENCE / 16, 0..8, 0), None);
    }

    #[test]
    fn a_trial_of_a_few_large_bodies_shows_the_same() {
        let mut stage = Stage::new(1);
        let mut ends = false;
        // One in 20 ms, and then one in 30.
        for turn in 0..20_000 {
            ends = stage.turn(0..u32::from(turn % 20 == 0), 0);
            if ends {
                break;
            }
        }
        assert!(ends && !stage.load.are_few());
        for turn in 0..1000 {
            stage.turn(0..u32::from(turn % 30 == 0), 0);
        }
        assert!(stage.load.are_few());
    }

    #[test]
    fn spans_of_few_heads_count_as_many() {
        let mut stage = Stage::new(1);
        let turns = stage.ends_in(PATIENCE, 0..1, 0).unwrap();
        let spans = turns / QUIET_SPAN_TIME.as_millis() as u32;
        // The first ends as soon as it has heads enough.
        assert_eq!(spans + 1, PATIENCE / SPAN / 2);
    }

    #[test]
    fn a_loop_that_does_not_measure_its_idle_time_never_counts_as_busy() {
        let mut stage = Stage::new(8);
        stage.idle = 0;
        assert_eq!(stage.ends_in(10_000, 0..8, 0), None);
    }
}
