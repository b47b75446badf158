//! The places that connections occupy of those that a server with limits has.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use socket2::Socket;

use super::arrivals::Address;
use super::limit_kinds::{CONNECTIONS_PER_ADDRESS, Hit};
use super::server_limits::ServerLimits;

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

impl Admission {
    /// Lets a connection in, or tells what becomes of it.
    pub(super) fn decide(limits: &Arc<ServerLimits>, socket: &Socket) -> Result<Self, Hit> {
        if let Some(hit) = limits.connected() {
            return Err(hit);
        }
        // Its end counts it off.
        let mut admission = Self {
            limits: Arc::clone(limits),
            address: None,
        };
        if let Some(max) = limits.max(CONNECTIONS_PER_ADDRESS)
            && let Some(address) = Address::of(socket)
        {
            let mut addresses = limits
                .addresses
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if !addresses.enter(address, max) {
                return Err(limits.hit(CONNECTIONS_PER_ADDRESS));
            }
            admission.address = Some(address);
        }
        match limits.beyond_rate() {
            Some(hit) => Err(hit),
            None => Ok(admission),
        }
    }
}

/// A place among the connections that are being told why they were turned away.
pub(super) struct Place(Arc<ServerLimits>);

impl Place {
    pub(super) fn among(limits: &Arc<ServerLimits>) -> Option<Self> {
        let place = Self(Arc::clone(limits));
        // Its end counts it off.
        (limits.leaving.fetch_add(1, Ordering::SeqCst) < LEAVING).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.leaving.fetch_sub(1, Ordering::SeqCst);
    }
}
