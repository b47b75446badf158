//! What the connections of one server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use http_native_proto as proto;
use socket2::Socket;

use super::server_limits::ServerLimits;
use super::socket::set_keep_alive;
use super::stats::Stats;

/// What accepted sockets get.
pub(crate) struct Accepted {
    pub(crate) no_delay: bool,
    /// TCP keep-alive and its initial delay.
    pub(crate) keep_alive: Option<Duration>,
}

/// What the connections of one server share.
pub(crate) struct ServerOptions {
    /// The listener's id.
    pub(crate) id: u32,
    pub(crate) config: proto::Config,
    pub(super) stats: Arc<Stats>,
    pub(super) limits: Option<Arc<ServerLimits>>,
    accepted: Accepted,
    /// Milliseconds; see [`ServerOptions::configure`].
    keep_alive: AtomicU64,
    idle: AtomicU64,
    /// Connections are read from only when JavaScript says so.
    hold: AtomicBool,
}

impl ServerOptions {
    pub(crate) fn new(
        id: u32,
        config: proto::Config,
        accepted: Accepted,
        stats: Arc<Stats>,
    ) -> Self {
        Self {
            id,
            config,
            stats,
            limits: None,
            accepted,
            keep_alive: AtomicU64::new(0),
            idle: AtomicU64::new(0),
            hold: AtomicBool::new(true),
        }
    }

    /// With limits.
    pub(crate) fn limited(self, limits: Option<Arc<ServerLimits>>) -> Self {
        Self { limits, ..self }
    }

    /// Sets the idle time between exchanges and during them, in milliseconds; 0 for no limit. With `hold` a connection is
    /// accepted as paused: JavaScript sees it before its first byte is read.
    pub(crate) fn configure(&self, keep_alive: u64, idle: u64, hold: bool) {
        self.keep_alive.store(keep_alive, Ordering::Relaxed);
        self.idle.store(idle, Ordering::Relaxed);
        self.hold.store(hold, Ordering::Relaxed);
    }

    pub(super) fn holds(&self) -> bool {
        self.hold.load(Ordering::Relaxed)
    }

    pub(crate) fn keep_alive(&self) -> Duration {
        Duration::from_millis(self.keep_alive.load(Ordering::Relaxed))
    }

    pub(crate) fn idle(&self) -> Duration {
        Duration::from_millis(self.idle.load(Ordering::Relaxed))
    }

    /// Sets the options of an accepted socket. Where that fails the connection is slower or lives longer, as in libuv.
    pub(super) fn prepare(&self, socket: &Socket) {
        if self.accepted.no_delay {
            let _ = socket.set_tcp_nodelay(true);
        }
        if let Some(delay) = self.accepted.keep_alive {
            let _ = set_keep_alive(socket, true, delay);
        }
    }
}
