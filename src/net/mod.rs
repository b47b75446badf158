//! Sockets on tokio: listen, accept, dial, one driver per connection, timers.
//!
//! Knows `proto` and tokio; never Node-API. What happens is appended to the [`event::EventQueue`] of its I/O thread; what
//! JavaScript says arrives through [`connection::Connection`] and the [`mailbox::Mailbox`] of the I/O thread.

pub(crate) mod batch;
mod block;
pub(crate) mod connection;
pub(crate) mod dial;
mod driver;
pub(crate) mod event;
mod flush;
mod handover;
mod input;
pub(crate) mod io_thread;
pub(crate) mod lending;
mod linger;
pub(crate) mod listener;
pub(crate) mod mailbox;
pub(crate) mod message;
pub(crate) mod output;
mod reactor;
mod receive;
mod send;
mod staleness;
mod state;
#[cfg(test)]
mod tests;
mod timing;
