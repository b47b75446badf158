//! Connections that no I/O thread drives. A client's connection begins so: its socket is lent to the JS thread from the
//! first moment on, and in a short exchange, which that thread carries out by itself, no other thread is woken.
//! What only a driver can do has the connection driven, from then on: to wait for room in the kernel's buffer, for a deadline, for
//! JavaScript to have room, or for a peer after the end.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::connection::{Connection, Event};
use super::shared::Command;
use super::socket::send_fin;
use super::state::{Duty, Fin, Flow};
use super::transport::Lending;

/// What came of [`Connection::act_undriven`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acted {
    /// There is nothing to do but to wait for the socket.
    Rests,
    /// The connection has ended, and CLOSED is in the queue, which the caller publishes. It lets go of the socket, too.
    Ended,
    /// The I/O thread should drive it from now on, and leave the socket where it is.
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
            match state.duty(self.has_window_for_driver(&state)) {
                Duty::Rest if state.timing.idle_deadline().is_some() => return Acted::NeedsClock,
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
                    let (errno, syscall) = (over.errno, over.syscall);
                    if let Some(queue) = self.queue() {
                        let id = self.id;
                        queue.push(Event::Closed { id, errno, syscall });
                    }
                    return Acted::Ended;
                }
                _ => return Acted::NeedsDriver,
            }
        }
    }
}
