//! Replays recorded exchanges, over and over, for callgrind to count the instructions of: `npm run bench:check`.
//!
//!     replay                  prints the names of what there is to replay, one a line
//!     replay NAME COUNT       replays it COUNT times, in [`measured`], behind a warm-up
//!
//! Everything happens on one thread, in one order, and the kernel's instructions are not counted: the same binary gives the
//! same count.

#[allow(dead_code, reason = "what only the binding calls")]
#[path = "../../src/net/mod.rs"]
mod net;
#[allow(dead_code, reason = "what only the binding calls")]
#[path = "../../src/numbers.rs"]
mod numbers;
#[allow(dead_code, reason = "named by what only the binding calls")]
#[path = "../../src/panics.rs"]
mod panics;

mod driven;
mod protocol;
mod wire;

use std::io;

/// Exchanges before counting begins: memory is there, and so are the socket's loan and its buffers.
const WARM_UP: usize = 64;

/// One exchange.
type Exchange = Box<dyn FnMut()>;

/// What there is to replay, by name.
type Scene = (&'static str, fn() -> io::Result<Exchange>);

/// Callgrind counts what runs in here (`--toggle-collect`).
#[inline(never)]
fn measured(count: usize, exchange: &mut dyn FnMut()) {
    for _ in 0..count {
        exchange();
    }
}

fn main() -> io::Result<()> {
    let scenes = || protocol::SCENES.iter().chain(driven::SCENES);
    let mut arguments = std::env::args().skip(1);
    let Some(wanted) = arguments.next() else {
        scenes().for_each(|(name, _)| println!("{name}"));
        return Ok(());
    };
    let count = arguments.next().and_then(|count| count.parse().ok());
    let scene = scenes().find(|(name, _)| *name == wanted);
    let (Some((_, scene)), Some(count)) = (scene, count) else {
        return Err(io::Error::other("usage: replay NAME COUNT"));
    };
    let mut exchange = scene()?;
    for _ in 0..WARM_UP {
        exchange();
    }
    measured(count, &mut exchange);
    // As it is: threads and sockets end with the process.
    std::process::exit(0);
}
