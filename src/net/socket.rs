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

/// SO_KEEPALIVE with its initial delay; a zero delay leaves the system's.
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

/// True if the peer has sent what no thread has read yet. Closing such a socket resets the connection.
pub(super) fn has_unread(socket: &Socket) -> bool {
    let mut byte = [MaybeUninit::uninit(); 1];
    matches!(socket.peek(&mut byte), Ok(1..))
}

/// True if the process or the system has no descriptor left.
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    // EMFILE and ENFILE have no stable ErrorKind; the same on Linux, macOS and the BSDs.
    matches!(error.raw_os_error(), Some(23 | 24))
}
