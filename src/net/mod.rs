//! Sockets on tokio: listen, accept, one driver per connection, timers.
//!
//! Knows `proto` and tokio; never Node-API. What happens is appended to the [`queue::EventQueue`] of its I/O thread; what
//! JavaScript says arrives through [`connection::Connection`] and the [`mailbox::Mailbox`] of the I/O thread.

mod admission;
pub(crate) mod answer;
mod arrivals;
mod arriving;
pub(crate) mod backlog;
pub(crate) mod batch;
mod beyond_limit;
mod block;
mod clock;
pub(crate) mod connection;
pub(crate) mod dial;
mod driver;
mod ending;
pub(crate) mod event;
mod exchanges;
mod expiry;
mod finish;
mod flush;
mod gate;
mod handover;
pub(crate) mod head_flags;
mod histogram;
pub(crate) mod ids;
mod input;
pub(crate) mod io_thread;
pub(crate) mod lending;
pub(crate) mod limit_kinds;
pub(crate) mod limits;
mod line;
mod linger;
pub(crate) mod listener;
pub(crate) mod load;
mod mailbox;
pub(crate) mod message;
mod metered;
pub(crate) mod options;
pub(crate) mod output;
mod pace;
pub(crate) mod poll_set;
mod queue;
mod reactor;
mod receive;
mod room;
mod send;
pub(crate) mod server_limits;
pub(crate) mod shared;
mod shed;
pub(crate) mod socket;
mod staleness;
mod state;
pub(crate) mod stats;
#[cfg(test)]
mod tests;
mod timing;
pub(crate) mod transport;
pub(crate) mod turn;
pub(crate) mod undriven;
mod waiting;
mod watched_loans;
mod worker;
