//! The exchanges of one connection that are under way, for the stats: since when, and what has become of each.

use std::collections::VecDeque;
use std::time::Instant;

use super::stats::{Span, Stats};

/// Places for exchanges that stay when none is under way.
const KEPT: usize = 16;

/// One exchange.
#[derive(Clone, Copy)]
struct Exchange {
    /// When its head came, or went out.
    began: Instant,
    /// Its place in the stats.
    method: u8,
    /// The class of the answer's status; 0 while there is none.
    class: u8,
    /// The time to the first byte is counted.
    is_timed: bool,
    /// Where its answer ends, of all bytes ever said.
    end: u64,
}

/// The exchanges under way, in their order. Of a server's those are included whose answers have been said and have not left.
#[derive(Default)]
pub(super) struct Exchanges {
    open: VecDeque<Exchange>,
    /// How many of them are said to their end.
    said: usize,
}

/// The class of a status: its first digit; 6 for what has no name.
fn class_of(status: u16) -> u8 {
    let class = status / 100;
    if (1..6).contains(&class) {
        class as u8
    } else {
        6
    }
}

/// The status of a rendered head, `HTTP/1.1 200 ...`.
pub(super) fn status_in(head: &[u8]) -> u16 {
    let digits = head.get(9..12).unwrap_or(b"");
    digits.iter().fold(0, |status, digit| {
        status * 10 + u16::from(digit.wrapping_sub(b'0'))
    })
}

impl Exchanges {
    /// Begins an exchange, of a method by its place in the stats.
    pub(super) fn begin(&mut self, method: u8, now: Instant, stats: &Stats) {
        stats.begun(method);
        self.open.push_back(Exchange {
            began: now,
            method,
            class: 0,
            is_timed: false,
            end: 0,
        });
    }

    /// The answer of the first exchange without one begins, with this status. Without a time its first byte counts with its
    /// last: the answer is whole.
    pub(super) fn answer(&mut self, status: u16, now: Option<Instant>, stats: &Stats) {
        if let Some(exchange) = self.open.get_mut(self.said)
            && exchange.class == 0
        {
            exchange.class = class_of(status);
            if let Some(now) = now {
                exchange.is_timed = true;
                stats.first_byte(now.saturating_duration_since(exchange.began).into());
            }
        }
    }

    /// How many are under way.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// True if an answer waits to leave.
    pub(super) fn awaits_leaving(&self) -> bool {
        self.said != 0
    }

    /// The answer under way is said to its end, the last of `end` bytes of all that were ever said.
    pub(super) fn say_end(&mut self, end: u64) {
        if let Some(exchange) = self.open.get_mut(self.said) {
            exchange.end = end;
            self.said += 1;
        }
    }

    /// So many bytes, of all that were ever said, have left: ends the exchanges whose answers are among them.
    pub(super) fn left(&mut self, bytes: u64, now: Instant, stats: &Stats) {
        // Requests of one packet took the same time if their answers left as one.
        let mut last = None;
        while self.said != 0
            && let Some(exchange) = self.open.front()
            && exchange.end <= bytes
        {
            let began = exchange.began;
            let span = match last {
                Some((same, span)) if same == began => span,
                _ => Span::from(now.saturating_duration_since(began)),
            };
            last = Some((began, span));
            self.said -= 1;
            self.end_after(span, stats);
        }
    }

    /// Ends the first exchange: its answer has come, or is known to have left.
    pub(super) fn end_first(&mut self, now: Instant, stats: &Stats) {
        if let Some(exchange) = self.open.front() {
            let span = now.saturating_duration_since(exchange.began).into();
            self.end_after(span, stats);
        }
    }

    #[inline]
    fn end_after(&mut self, span: Span, stats: &Stats) {
        if let Some(exchange) = self.open.pop_front() {
            // An answer whose head was never seen.
            let class = if exchange.class == 0 {
                6
            } else {
                exchange.class
            };
            stats.ended(exchange.method, class);
            if !exchange.is_timed {
                stats.first_byte(span);
            }
            stats.last_byte(span);
        }
        self.shrink();
    }

    /// Gives back the memory of a burst: a connection that idles has few under way when it goes on.
    #[inline]
    fn shrink(&mut self) {
        if self.open.capacity() > KEPT && self.open.is_empty() {
            self.open = VecDeque::new();
        }
    }

    /// Ends the last exchange, which leaves HTTP: it has no place in the times.
    pub(super) fn switch(&mut self, status: u16, stats: &Stats) {
        if self.open.len() > self.said
            && let Some(exchange) = self.open.pop_back()
        {
            let class = if exchange.class == 0 {
                class_of(status)
            } else {
                exchange.class
            };
            stats.ended(exchange.method, class);
        }
        self.shrink();
    }

    /// Ends all: the connection is closed. Those that are not said to their end have no answer.
    pub(super) fn close(&mut self, now: Instant, stats: &Stats) {
        while self.said != 0 {
            self.said -= 1;
            self.end_first(now, stats);
        }
        for exchange in self.open.drain(..) {
            stats.ended(exchange.method, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::stats::{ENDED, LAST_BYTE, OUTCOME_PLACES};
    use super::*;

    /// How many exchanges have ended, by outcome, of the method in the first place.
    fn outcomes(stats: &Stats) -> Vec<u64> {
        let mut found = vec![0; OUTCOME_PLACES as usize];
        for (place, number) in stats.numbers() {
            if let Some(outcome) = place.checked_sub(ENDED as usize)
                && outcome < found.len()
            {
                found[outcome] = number;
            }
        }
        found
    }

    #[test]
    fn an_exchange_ends_when_its_answer_has_left() {
        let (stats, start) = (Stats::default(), Instant::now());
        let mut exchanges = Exchanges::default();
        for _ in 0..3 {
            exchanges.begin(0, start, &stats);
        }
        exchanges.answer(200, Some(start), &stats);
        exchanges.say_end(10);
        exchanges.answer(404, None, &stats);
        exchanges.left(9, start, &stats);
        assert_eq!(outcomes(&stats), [0; 7]);
        exchanges.say_end(20);
        exchanges.left(20, start + Duration::from_millis(1), &stats);
        assert_eq!(outcomes(&stats), [0, 0, 1, 0, 1, 0, 0]);
        assert!(!exchanges.awaits_leaving());
        // The third was not answered to its end.
        exchanges.answer(500, Some(start), &stats);
        exchanges.close(start, &stats);
        assert_eq!(outcomes(&stats), [1, 0, 1, 0, 1, 0, 0]);
        let sum = stats
            .numbers()
            .find(|(place, _)| *place == LAST_BYTE as usize);
        assert_eq!(sum, Some((LAST_BYTE as usize, 2_000_000)));
    }

    #[test]
    fn the_memory_of_a_burst_is_given_back() {
        let (stats, now) = (Stats::default(), Instant::now());
        let mut exchanges = Exchanges::default();
        for _ in 0..1000 {
            exchanges.begin(0, now, &stats);
        }
        for end in 1..=1000 {
            exchanges.say_end(end);
        }
        exchanges.left(999, now, &stats);
        assert!(exchanges.open.capacity() >= 1000);
        exchanges.left(1000, now, &stats);
        assert!(exchanges.open.capacity() <= KEPT);
        exchanges.begin(0, now, &stats);
        exchanges.end_first(now, &stats);
        assert_ne!(exchanges.open.capacity(), 0);
    }

    #[test]
    fn statuses_are_read_off_heads() {
        assert_eq!(status_in(b"HTTP/1.1 204 No Content\r\n\r\n"), 204);
        assert_eq!(status_in(b"HTTP/1.1 999 \r\n\r\n"), 999);
        assert_eq!(class_of(status_in(b"HTTP/1.1")), 6);
        assert_eq!([100, 299, 503, 600].map(class_of), [1, 2, 5, 6]);
    }
}
