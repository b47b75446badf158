//! Has sockets connect, and tells how that ended ([`Dials`](super::dials::Dials)).

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::sync::Arc;

use http_native_proto::Config;

use super::dials::Dial;
use super::environment::{Environment, caught};
use super::ffi::{Failure, Scope, Value, Watch};
use crate::net::connection::Event;
use crate::net::dial::{dial, outcome};
use crate::net::event::BROKEN;
use crate::net::socket::errno;

/// An address as net has it, with the number of its zone.
fn address(text: &[u8], port: u16, zone: u32) -> Option<SocketAddr> {
    let ip: IpAddr = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some(match ip {
        IpAddr::V4(_) => SocketAddr::new(ip, port),
        IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, zone).into(),
    })
}

/// Has a socket connect. Gives its id, or a negative errno.
pub(super) fn dial_to<'s>(
    environment: &Environment,
    scope: Scope<'s>,
    arguments: &[Value<'s>; 6],
) -> Result<Option<Value<'s>>, Failure> {
    let (text, _) = &mut *environment.scratch.borrow_mut();
    scope.string(arguments[0], false, text)?;
    let (port, zone) = (scope.i32(arguments[1])? as u16, scope.i32(arguments[2])?);
    let dialled = match address(text, port, zone as u32) {
        Some(address) => environment.dial(scope, address),
        // EINVAL
        None => Err(io::Error::from_raw_os_error(22)),
    };
    let id = dialled.map_or_else(|error| errno(&error), |id| id as i32);
    Ok(Some(scope.integer(id)?))
}

impl Environment {
    /// Has a socket connect; DIALLED follows. It keeps the process alive, whatever is said about that, as libuv's request does.
    ///
    /// # Errors
    /// There is no socket, or no way to the address, or no watch on it.
    pub(super) fn dial(&self, scope: Scope<'_>, address: SocketAddr) -> io::Result<u32> {
        self.threads()?;
        if !self.closing.asks_behind(scope, self) {
            return Err(io::Error::from(io::ErrorKind::OutOfMemory));
        }
        let dialled = caught(|| dial(address))?;
        let socket = Arc::new(dialled.socket);
        let id = self.ids.take();
        let watched = self.loans.watch_dial(id, &socket, |set| {
            Watch::start(scope, self, set.as_raw_fd()).ok()
        });
        if let Err(error) = watched {
            self.ids.give_back(id);
            return Err(error);
        }
        let dial = Dial {
            socket,
            began: self.loans.looks(),
            reads: false,
            is_over: false,
        };
        self.dials.by_id.borrow_mut().insert(id, dial);
        self.hold(scope, true);
        if dialled.refused != 0 {
            self.fail_dial(id, dialled.refused);
            self.wake.give();
        }
        Ok(id)
    }

    /// Ends the dials that were met.
    pub(super) fn end_dials(&self, scope: Scope<'_>) {
        self.dials.told.borrow_mut().restart();
        for id in self.dials.take_met() {
            let mut dials = self.dials.by_id.borrow_mut();
            // It may have been given up.
            let Some(dial) = dials.get_mut(&id).filter(|dial| !dial.is_over) else {
                continue;
            };
            let event = self.end_dial(id, dial, outcome(&dial.socket));
            self.dials.told.borrow_mut().batch.events.push(event);
        }
        // A refusal means that the environment is going away.
        let _ = self.tell_now(scope, &self.dials.told);
    }

    /// Ends a dial, which the event tells.
    fn end_dial(&self, id: u32, dial: &mut Dial, errno: i32) -> Event {
        dial.is_over = true;
        if errno != 0 {
            self.loans.unwatch_dial(&dial.socket);
        }
        Event::Dialled { id, errno }
    }

    /// Fails a dial; DIALLED comes with the events that wait.
    fn fail_dial(&self, id: u32, errno: i32) {
        let mut dials = self.dials.by_id.borrow_mut();
        let Some(dial) = dials.get_mut(&id) else {
            return;
        };
        let event = self.end_dial(id, dial, errno);
        let queues = self.queues.borrow();
        queues[id as usize % queues.len()].push(event);
    }

    /// Fails all that have not ended: the set is about to go.
    pub(super) fn lose_dials(&self) {
        let waiting: Vec<u32> = {
            let dials = self.dials.by_id.borrow();
            let waiting = dials.iter().filter(|(_, dial)| !dial.is_over);
            waiting.map(|(id, _)| *id).collect()
        };
        for id in &waiting {
            self.fail_dial(*id, BROKEN);
        }
        if !waiting.is_empty() {
            self.wake.give();
        }
    }

    /// Makes a client's connection of a socket that has connected. Its id stays.
    ///
    /// # Errors
    /// The socket cannot be used, or a reactor is full. The dial is over, and its id free.
    pub(super) fn carry_dialled(
        &self,
        scope: Scope<'_>,
        id: u32,
        config: Config,
        stats: i32,
    ) -> io::Result<()> {
        let dial = self.dials.by_id.borrow_mut().remove(&id);
        // EBADF
        let dial = dial.ok_or_else(|| io::Error::from_raw_os_error(9))?;
        let carried = self.carry_as(scope, id, dial.socket, config, stats, true);
        self.hold(scope, false);
        if dial.reads && carried.is_ok() && !self.loans.again(id) {
            self.end_loan(id);
        }
        carried
    }

    /// Gives a dial up. Its id is free.
    pub(super) fn hang_up(&self, scope: Scope<'_>, id: u32) {
        let Some(dial) = self.dials.by_id.borrow_mut().remove(&id) else {
            return;
        };
        self.loans.unwatch_dial(&dial.socket);
        self.ids.give_back(id);
        self.hold(scope, false);
    }
}
