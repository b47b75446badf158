//! What is left of a connection when it is over for JavaScript: bytes that count as taken still reach the peer, and a
//! peer in the middle of a message can read the answer.
//!
//! In core the bytes would be in the kernel's send buffer, which outlives the socket; here some of them may still wait
//! for room in it (see `State::take`).

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::Socket;

use super::admission::Place;
use super::batch::{READ, read_buffer};
use super::output::Output;
use super::reactor::{self, Registered};
use super::shared::Shared;
use super::socket::send_fin;
use super::stats::Stats;

/// How long a peer that does not read is waited for. A kernel has the bytes of a closed socket for a minute or two.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a peer may go on with a message that was answered before its end (RFC 9112 §9.6). Core reads on until it
/// closes, a turn of its event loop later; closing on unread bytes sends RST, which may overtake the answer.
const READING: Duration = Duration::from_secs(1);

/// What is left to be done.
pub(super) struct Leave {
    /// To be written.
    pub(super) rest: Output,
    /// FIN is to follow.
    pub(super) fin: bool,
    /// What the peer still sends is read and dropped for a while.
    pub(super) reads: bool,
    pub(super) stats: Arc<Stats>,
    /// Of a connection that was turned away.
    pub(super) place: Option<Place>,
}

/// Lets go of a socket, at once or in a task of its own. On an I/O thread.
pub(super) fn leave(
    shared: &Arc<Shared>,
    socket: Arc<Socket>,
    registered: Option<Registered>,
    mut todo: Leave,
) {
    if todo.rest.is_empty() {
        if std::mem::take(&mut todo.fin) {
            send_fin(&socket);
        }
        if !todo.reads {
            return;
        }
    }
    // Out of descriptors of the reactor: JavaScript has heard of the end already.
    let Ok(socket) = registered.map_or_else(|| reactor::register(socket), Ok) else {
        return;
    };
    let promised = Promised {
        shared: Arc::clone(shared),
        len: todo.rest.len(),
    };
    shared.lingering.fetch_add(promised.len, Ordering::SeqCst);
    tokio::spawn(async move {
        let _place = todo.place;
        // A peer that has gone, or does not read, does not get them: the same as with core.
        let write = write_all(&socket, todo.rest, promised, &todo.stats);
        let written = tokio::time::timeout(PATIENCE, write).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
        if todo.fin {
            send_fin(socket.get_ref());
        }
        if todo.reads {
            let _ = tokio::time::timeout(READING, read_all(&socket)).await;
        }
    });
}

/// Bytes that the end of the process waits for.
struct Promised {
    shared: Arc<Shared>,
    len: usize,
}

impl Promised {
    fn kept(&mut self, len: usize) {
        self.len -= len;
        self.shared.lingering.fetch_sub(len, Ordering::SeqCst);
    }
}

impl Drop for Promised {
    fn drop(&mut self) {
        self.kept(self.len);
    }
}

async fn write_all(
    socket: &Registered,
    mut rest: Output,
    mut promised: Promised,
    stats: &Stats,
) -> io::Result<()> {
    while !rest.is_empty() {
        let mut guard = socket.writable().await?;
        match rest.write_to(socket.get_ref()) {
            Ok(written) => {
                stats.sent(written as u64);
                promised.kept(written);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Until the peer has ended its side.
async fn read_all(socket: &Registered) -> io::Result<()> {
    let mut scratch = read_buffer();
    loop {
        let mut guard = socket.readable().await?;
        match (&**socket.get_ref()).read(&mut scratch[..READ]) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
            Err(error) => return Err(error),
        }
    }
}
