//! What the kernel knows of a connection and no thread has read yet: whether an idle one may have another exchange,
//! asked at the moment it is to be used, and whether closing one would lose something.

use std::sync::atomic::Ordering;

use super::connection::Connection;
use super::input::Mode;
use super::socket::{Unread, peek};
use super::state::{Ending, Fin};

impl Connection {
    /// True if the peer has ended an idle connection, or said something unasked. Asks the kernel for what no thread has
    /// read yet: a request must neither be sent into a dead connection, nor be answered by what lay there
    /// before it was sent.
    pub(crate) fn is_stale(&self) -> bool {
        let transport = self.transport();
        let Some(socket) = transport.socket() else {
            return true;
        };
        if peek(socket) != Unread::Nothing {
            return true;
        }
        // The kernel has nothing; but the I/O thread may just have read it, and not have said so. In this order: what
        // it reads is in the state before it has done reading.
        if self.reading.load(Ordering::SeqCst) {
            return true;
        }
        let state = self.lock();
        state.eof
            || state.fin != Fin::None
            || state.ending != Ending::None
            || state.input.mode != Mode::Parsing
            || !state.input.is_empty()
            || state.proto.receiving()
    }

    /// True if the peer has said something, or has ended, and no thread has told JavaScript of it yet. Asks the kernel: the JS
    /// thread, which may have the socket, has read nothing while JavaScript was busy.
    pub(crate) fn has_unread(&self) -> bool {
        let transport = self.transport();
        let Some(socket) = transport.socket() else {
            return false;
        };
        match peek(socket) {
            // In the order of `is_stale`.
            Unread::Nothing => self.reading.load(Ordering::SeqCst),
            Unread::End => !self.lock().eof,
            Unread::Bytes | Unread::Broken => true,
        }
    }
}
