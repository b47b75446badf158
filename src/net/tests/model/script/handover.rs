//! Bytes that JavaScript sees itself: those behind HTTP, of a socket that is tapped, and of one that it was given.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use http_native_proto::Role;

use super::{End, Script};
use crate::net::connection::Batch;
use crate::net::message::Body;

impl Script {
    /// Answers a head that asks to leave HTTP.
    pub(super) fn decide(&mut self) {
        let Some(number) = self.held else { return };
        let is_client = self.plan.role == Role::Client;
        let may_leave = self.saying.is_none() && (is_client || self.owed.len() == 1);
        let leaves = may_leave && (is_client || self.random.once_in(3));
        // A client gets what it has asked for, when it has said all.
        if is_client && !leaves {
            return;
        }
        self.held = None;
        self.marked = true;
        if leaves {
            self.left_http = Some(number);
            let head = self.connection.take_head();
            self.raw.extend_from_slice(&head);
            if self.ended == End::None && self.random.once_in(2) && self.is_given() {
                return;
            }
        }
        self.connection.upgrade(leaves);
        if self.tapped {
            self.receive(Some(b""));
        }
        if leaves && !is_client && self.ended == End::None {
            self.owed.clear();
            let answer = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";
            self.connection.write_raw(Body::Copied(answer));
            self.said.extend_from_slice(answer);
        }
    }

    // A tapped socket.

    pub(super) fn tap(&mut self) {
        // What comes to a client before its first request is no answer to it, if it is parsed at once.
        if self.tapped || (self.plan.role == Role::Client && self.asked == 0) {
            return;
        }
        self.tapped = true;
        self.connection.tap();
        self.marked = true;
    }

    /// Gives bytes back to be parsed, or their end.
    pub(super) fn receive(&mut self, bytes: Option<&[u8]>) {
        let mut batch = Batch::default();
        let mut more = self.connection.receive(bytes, &mut batch);
        self.hear_all(&batch, true);
        while more {
            let mut batch = Batch::default();
            more = self.connection.receive(Some(b""), &mut batch);
            self.hear_all(&batch, true);
        }
    }

    // A socket that was given away.

    /// True if JavaScript gets the socket itself.
    fn is_given(&mut self) -> bool {
        let Some((descriptor, rest)) = self.connection.surrender() else {
            return false;
        };
        self.ended = End::Surrender;
        // What a tapped connection has read comes first.
        let id = self.connection.id;
        let (unread, weight) = self.shared.queue.lock().take_raw(id, 0);
        self.raw.extend_from_slice(&unread);
        self.connection.delivered(weight, 0);
        let mut socket = UnixStream::from(descriptor);
        self.owed.clear();
        let start = self.said.len();
        let kept = start - rest.len();
        let bytes = [rest, self.fresh(10)].concat();
        // There may be no room: the peer need not read.
        let written = socket.write(&bytes).unwrap_or(0);
        self.said.truncate(kept + written);
        self.given = Some(socket);
        true
    }

    /// Reads from a socket that was given away.
    pub(super) fn read_given(&mut self) {
        let Some(socket) = &mut self.given else {
            return;
        };
        if self.eof {
            return;
        }
        let mut scratch = [0; 100];
        match socket.read(&mut scratch) {
            Ok(0) => self.eof = true,
            Ok(len) => self.raw.extend_from_slice(&scratch[..len]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => self.eof = true,
        }
        self.progress.moved();
    }

    /// Lets go of a socket that was given away.
    pub(super) fn leave_given(&mut self) {
        if self.given.take().is_some() {
            self.progress.moved();
        }
    }
}
