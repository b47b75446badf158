//! Connections that no I/O thread drives. A client's connection begins so, and a server's that the JS thread has accepted: its
//! socket is lent to that thread from the first moment on, and in a short exchange, which that thread does by itself, no
//! other thread is woken.
//! What only a driver can do has the connection driven, from then on: to wait for room in the kernel's buffer, for a deadline, for
//! JavaScript to have room, or for a peer after the end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http_native_proto::Role;

use super::clock;
use super::connection::{Connection, Event};
use super::shared::Command;
use super::socket::send_fin;
use super::state::{Duty, Fin, Flow, State};
use super::transport::Lending;

/// How long the JS thread has a connection that it accepted, at most, before it has an I/O thread drive it; and the nearest deadline
/// that may wait for that: nearer ones have it driven at once. Most connections that are used once have ended by then, though each has
/// a deadline, that of keep-alive.
pub(crate) const TRIAL: Duration = Duration::from_secs(1);
const NEAR: Duration = Duration::from_secs(3);

/// What came of [`Connection::act_undriven`].
pub(crate) enum Acted {
    /// There is nothing to do but to wait for the socket.
    Rests,
    /// The connection has ended. The caller puts this, CLOSED, into the queue when it is time, and lets go of the socket.
    Ended(Event),
    /// The I/O thread should drive it from now on, and the socket stays where it is.
    NeedsClock,
    /// The I/O thread should have the connection.
    NeedsDriver,
}

impl Command {
    /// What has the I/O thread attend to a connection, which it drives from now on; nothing for one that has ended without a driver:
    /// it would be driven for ever. On the JS thread.
    pub(crate) fn attend(connection: &Arc<Connection>) -> impl Iterator<Item = Self> + use<> {
        let is_over = connection.is_undriven() && connection.lock().is_over();
        let begins = !is_over && !connection.is_driven.swap(true, Ordering::Relaxed);
        let drive = begins.then(|| Self::Drive {
            connection: Arc::clone(connection),
            socket: None,
        });
        let attend = (!is_over).then(|| Self::Attend(Arc::clone(connection)));
        drive.into_iter().chain(attend)
    }
}

impl Connection {
    /// Has the JS thread have the socket from the beginning on.
    pub(super) fn begin_undriven(&mut self) {
        *self.is_driven.get_mut() = false;
        self.lock().lending = Lending::Lent;
    }

    /// True if there is a deadline that nothing but a driver will watch in time.
    fn is_near(&self, state: &State) -> bool {
        let deadline = state.timing.idle_deadline();
        deadline.is_some_and(|deadline| self.role == Role::Client || deadline < clock::now() + NEAR)
    }

    /// Does what a driver would, if the connection has none and that can be done at once. On the JS thread, when it has written.
    pub(crate) fn act_undriven(&self) -> Acted {
        if !self.is_undriven() {
            return Acted::NeedsDriver;
        }
        let mut state = self.lock();
        if state.flow == Flow::Blocked {
            return Acted::NeedsDriver;
        }
        loop {
            // For room in all, which other connections fill, only a driver waits.
            match state.duty(self.has_window_for_driver(&state)) {
                Duty::Rest if self.is_near(&state) => return Acted::NeedsClock,
                Duty::Rest => {
                    state.attention = false;
                    return Acted::Rests;
                }
                Duty::Fin if !state.reads_before_fin() => {
                    state.fin = Fin::Sent;
                    if std::mem::take(&mut state.tells_fin) {
                        self.tell_fin();
                    }
                    if let Some(socket) = state.socket() {
                        send_fin(&socket);
                    }
                }
                Duty::Finish if !state.lingers() => {
                    // Closing the socket sends FIN.
                    let over = self.finish(state);
                    return Acted::Ended(over.closed(self.id));
                }
                _ => return Acted::NeedsDriver,
            }
        }
    }
}
