//! A lingering close: bytes that JavaScript was told are taken reach the peer though their connection is over.
//!
//! In core they would be in the kernel's send buffer, which outlives the socket; here a part of them may still wait
//! for room in it (see [`Output::accept`]).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use socket2::Socket;
use tokio::io::unix::AsyncFd;

use super::lending::Transport;
use super::output::Output;
use super::reactor;

/// How long a peer that does not read is waited for. A kernel keeps the bytes of a closed socket for a minute or two.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes the rest in a task of its own, then closes the socket. On an I/O thread.
pub(super) fn deliver(transport: &Transport, rest: Output) {
    if rest.is_empty() {
        return;
    }
    let socket = match transport {
        Transport::None | Transport::Dialled(_) | Transport::Refused(_) => return,
        Transport::Reactor(socket) => Arc::clone(socket),
        Transport::Lent(socket) => match socket.try_clone().and_then(reactor::register) {
            Ok(socket) => Arc::new(socket),
            // Out of descriptors: there is nobody left to tell.
            Err(_) => return,
        },
    };
    tokio::spawn(async move {
        // A peer that has gone, or does not read, does not get them: the same as with core.
        let _ = tokio::time::timeout(PATIENCE, write_all(&socket, rest)).await;
    });
}

async fn write_all(socket: &AsyncFd<Socket>, mut rest: Output) -> io::Result<()> {
    while !rest.is_empty() {
        let mut guard = socket.writable().await?;
        match rest.write_to(socket.get_ref()) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
