//! Connections of clients: sockets that have connected.

use std::io;
use std::sync::Arc;

use http_native_proto::Config;
use socket2::Socket;

use super::environment::{Environment, caught};
use super::ffi::Scope;

impl Environment {
    /// Makes a connected socket a client's connection. The JS thread has its socket from the beginning on, or, where that may not be,
    /// an I/O thread, which begins to drive it at the next flush.
    pub(super) fn carry(
        &self,
        scope: Scope<'_>,
        socket: Socket,
        config: Config,
        stats: i32,
    ) -> io::Result<u32> {
        self.threads()?;
        let id = self.ids.take();
        self.carry_as(scope, id, Arc::new(socket), config, stats, false)?;
        Ok(id)
    }

    /// True if a connection may begin with its socket lent. Not where an I/O thread accepts for a server of this process: what such a
    /// connection has heard first would be told behind what the client's is told of.
    fn may_begin_lent(&self) -> bool {
        self.loans.may_begin() && self.accepts_at.are_all_here(self.listeners.borrow().len())
    }

    /// The same, with this id; the socket may be in the set of lent sockets already.
    pub(super) fn carry_as(
        &self,
        scope: Scope<'_>,
        id: u32,
        socket: Arc<Socket>,
        config: Config,
        stats: i32,
        is_watched: bool,
    ) -> io::Result<()> {
        let threads = self.threads.borrow();
        let thread = id as usize % threads.len();
        let lends = self.may_begin_lent();
        if is_watched && !lends {
            self.loans.unwatch_dial(&socket);
        }
        let stats = self.blocks.get(stats);
        let carried = caught(|| {
            let thread = &threads[thread];
            if lends {
                let connection = thread.carry_undriven(id, Arc::clone(&socket), config, stats);
                Ok((connection, None))
            } else {
                let (connection, drive) = thread.carry(id, Arc::clone(&socket), config, stats)?;
                Ok((connection, Some(drive)))
            }
        });
        let (connection, drive) = match carried {
            Ok(carried) => carried,
            Err(error) => {
                if is_watched && lends {
                    self.loans.unwatch_dial(&socket);
                }
                self.ids.give_back(id);
                return Err(error);
            }
        };
        if is_watched {
            connection.note_tcp();
        }
        self.know(scope, Arc::clone(&connection), true);
        match drive {
            Some(drive) => self.carried.borrow_mut().push((thread, drive)),
            None if is_watched => self.loans.begin_watched(id, socket),
            None => self.begin_loan(scope, &connection),
        }
        Ok(())
    }
}
