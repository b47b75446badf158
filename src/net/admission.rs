//! Which connections a server with limits lets in: how many, of which address, and how fast.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use socket2::Socket;

use super::answer::{Answer, REFUSED_CONNECTION};
use super::event::Event;
use super::linger::{self, Leave};
use super::options::ServerOptions;
use super::output::Output;
use super::server_limits::{ANSWER, CONNECTIONS_PER_ADDRESS, Hit, ServerLimits};
use super::shared::Shared;

/// Connections that may be told at a time why they are turned away; others are closed without a word.
const LEAVING: usize = 256;

/// One of a server's connections, for as long as this lives.
pub(crate) struct Admission {
    limits: Arc<ServerLimits>,
    address: Option<Address>,
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let Some(address) = self.address {
            let mut addresses = self
                .limits
                .addresses
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            addresses.leave(address);
        }
        self.limits.disconnected();
    }
}

/// Lets an accepted socket in, or turns it away: then there is nothing. On an I/O thread.
pub(super) fn admit(
    socket: &Arc<Socket>,
    server: &ServerOptions,
    shared: &Arc<Shared>,
) -> Option<Option<Admission>> {
    let Some(limits) = &server.limits else {
        return Some(None);
    };
    match decide(limits, socket) {
        Ok(admission) => Some(Some(admission)),
        Err(hit) => {
            if limits.count(hit.limit, &server.stats) {
                shared.queue.push(Event::Limited {
                    owner: limits.owner,
                });
            }
            if hit.action == ANSWER {
                turn_away(socket, limits, hit, server, shared);
            }
            None
        }
    }
}

fn decide(limits: &Arc<ServerLimits>, socket: &Socket) -> Result<Admission, Hit> {
    if let Some(hit) = limits.beyond_connections() {
        return Err(hit);
    }
    let address = match limits.max(CONNECTIONS_PER_ADDRESS) {
        Some(max) => match Address::of(socket) {
            Some(address) => {
                let mut addresses = limits
                    .addresses
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                if !addresses.enter(address, max) {
                    return Err(limits.hit(CONNECTIONS_PER_ADDRESS));
                }
                Some(address)
            }
            None => None,
        },
        None => None,
    };
    limits.connected();
    let admission = Admission {
        limits: Arc::clone(limits),
        address,
    };
    match limits.beyond_rate() {
        Some(hit) => Err(hit),
        None => Ok(admission),
    }
}

/// Answers a connection before it asks, and closes it.
fn turn_away(
    socket: &Arc<Socket>,
    limits: &Arc<ServerLimits>,
    hit: Hit,
    server: &ServerOptions,
    shared: &Arc<Shared>,
) {
    let Some(place) = Place::among(limits) else {
        return;
    };
    let mut rest = Output::default();
    let answer = Answer::for_limit(hit.limit, limits);
    rest.push(Bytes::from(answer.render(REFUSED_CONNECTION)));
    let leave = Leave {
        rest,
        fin: true,
        reads: true,
        stats: Arc::clone(&server.stats),
        place: Some(place),
    };
    linger::leave(shared, Arc::clone(socket), None, leave);
}

/// A place among the connections that are being told why they were turned away.
pub(super) struct Place(Arc<ServerLimits>);

impl Place {
    fn among(limits: &Arc<ServerLimits>) -> Option<Self> {
        let place = Self(Arc::clone(limits));
        // Dropping it counts it off.
        (limits.leaving.fetch_add(1, Ordering::SeqCst) < LEAVING).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.leaving.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What counts as one address: one of IPv4, or a /64 of IPv6, which one peer has as a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Address(u64);

impl Address {
    /// The peer's; none for a Unix socket, or one that has just closed.
    fn of(socket: &Socket) -> Option<Self> {
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
    /// Counts one more, unless there are `max`.
    fn enter(&mut self, address: Address, max: u64) -> bool {
        let count = self.0.get(&address).copied().unwrap_or(0);
        let enters = count < max;
        if enters {
            self.0.insert(address, count + 1);
        }
        enters
    }

    fn leave(&mut self, address: Address) {
        if let Some(count) = self.0.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&address);
            }
        }
    }
}

/// How many connections may still come in this second: a token bucket that holds one second's.
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

    /// Takes a token. False if there is none.
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
        // It holds no more than one second's.
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
