//! Where connections come from, and how fast.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use socket2::Socket;

/// What counts as one address: one of IPv4, or a /64 of IPv6, which one peer has as a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Address(u64);

impl Address {
    /// The peer's; none for a Unix socket, or one that has just closed.
    pub(super) fn of(socket: &Socket) -> Option<Self> {
        let address = socket.peer_addr().ok()?.as_socket()?;
        Some(Self::from(address.ip()))
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) => Self(u64::from(v4.to_bits())),
            // No /64 that is in use begins with 32 zero bits.
            IpAddr::V6(v6) => Self((v6.to_bits() >> 64) as u64),
        }
    }
}

/// How many connections each address has.
#[derive(Default)]
pub(super) struct Addresses(HashMap<Address, u64>);

impl Addresses {
    /// Counts one more. False if there are `max`.
    pub(super) fn enter(&mut self, address: Address, max: u64) -> bool {
        let count = self.0.get(&address).copied().unwrap_or(0);
        let enters = count < max;
        if enters {
            self.0.insert(address, count + 1);
        }
        enters
    }

    pub(super) fn leave(&mut self, address: Address) {
        if let Some(count) = self.0.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&address);
            }
        }
    }
}

/// How many connections may still come in this second: a token bucket with room for one second's.
pub(super) struct Bucket {
    /// Connections in a second; infinite for no limit.
    rate: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    pub(super) fn new(rate: u64, now: Instant) -> Self {
        let rate = if rate == u64::MAX {
            f64::INFINITY
        } else {
            rate as f64
        };
        Self {
            rate,
            tokens: rate.max(1.0),
            filled: now,
        }
    }

    fn tokens_at(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        (self.tokens + passed * self.rate).min(self.rate.max(1.0))
    }

    /// Uses up a token. False if there is none.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.tokens = self.tokens_at(now);
        self.filled = now;
        let has_one = self.tokens >= 1.0;
        if has_one {
            self.tokens -= 1.0;
        }
        has_one
    }

    /// How long until there is a token; at most a second, since a rate of 0 has none.
    pub(super) fn rest(&self, now: Instant) -> Duration {
        let missing = 1.0 - self.tokens_at(now);
        if missing <= 0.0 {
            return Duration::ZERO;
        }
        Duration::from_secs_f64((missing / self.rate).min(1.0)).max(Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_as_many_as_the_rate_says() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2, start);
        assert!(bucket.take(start) && bucket.take(start) && !bucket.take(start));
        assert_eq!(bucket.rest(start), Duration::from_millis(500));
        assert!(!bucket.take(start + Duration::from_millis(499)));
        assert!(bucket.take(start + Duration::from_millis(500)));
        // It has room for no more than one second's.
        let later = start + Duration::from_secs(60);
        assert!(bucket.take(later) && bucket.take(later) && !bucket.take(later));
        let mut closed = Bucket::new(0, start);
        assert!(closed.take(start) && !closed.take(later));
        assert_eq!(closed.rest(later), Duration::from_secs(1));
    }

    #[test]
    fn an_address_of_ipv6_is_a_64() {
        let address = |text: &str| Address::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:2"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_eq!(address("::ffff:10.0.0.1"), address("10.0.0.1"));
        assert_ne!(address("10.0.0.1"), address("10.0.0.2"));
        let mut addresses = Addresses::default();
        assert!(addresses.enter(address("10.0.0.1"), 1));
        assert!(!addresses.enter(address("10.0.0.1"), 1));
        addresses.leave(address("10.0.0.1"));
        assert!(addresses.0.is_empty());
    }
}
