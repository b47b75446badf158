//! Calls on a socket that socket2 does not have, and what their errors mean.

use std::io;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::time::Duration;

use socket2::{Socket, TcpKeepalive};

/// An I/O error as libuv numbers it: negative errno.
pub(crate) fn errno(error: &io::Error) -> i32 {
    // EIO for the few errors that std makes up without an errno.
    -error.raw_os_error().unwrap_or(5)
}

/// SO_KEEPALIVE with its initial delay; with a zero delay it is the system's.
pub(crate) fn set_keep_alive(socket: &Socket, on: bool, delay: Duration) -> io::Result<()> {
    socket.set_keepalive(on)?;
    if on && !delay.is_zero() {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(delay))?;
    }
    Ok(())
}

/// Ends our side of the stream: FIN.
pub(super) fn send_fin(socket: &Socket) {
    // A socket that is not connected any more has told its peer already.
    let _ = socket.shutdown(Shutdown::Write);
}

/// What the kernel has of a socket, and no thread has read yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    Nothing,
    Bytes,
    /// The peer's FIN, behind which nothing comes.
    End,
    /// An error, as of a reset.
    Broken,
}

/// Asks the kernel, and reads nothing.
pub(super) fn peek(socket: &Socket) -> Unread {
    let mut byte = [MaybeUninit::uninit(); 1];
    match socket.peek(&mut byte) {
        Ok(0) => Unread::End,
        Ok(_) => Unread::Bytes,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Unread::Nothing,
        Err(_) => Unread::Broken,
    }
}

/// True if the process or the system has no descriptor left.
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    // EMFILE and ENFILE have no stable ErrorKind; the same on Linux, macOS and the BSDs.
    matches!(error.raw_os_error(), Some(23 | 24))
}
