//! The addon of http-native: Node's `http` on tokio.
//!
//! - [`net`]: sockets, timers and threads; knows `http-native-proto` and tokio, never Node-API.
//! - [`binding`]: Node-API; events up in batches, commands down. Decides nothing about the protocol, and has
//!   all `unsafe` but one line of `net::reactor`.
//!
//! `docs/BOUNDARY.md` describes what crosses, `ARCHITECTURE.md` the whole.
#![deny(unsafe_code)]

// Windows has no AsyncFd: there the addon is empty, and index.js gives core's http.
#[cfg(all(unix, not(test)))]
mod binding;
// Unit tests run without Node, and link what needs nothing of it. JavaScript tests cover the rest.
#[cfg(all(unix, test))]
#[allow(dead_code, reason = "what the rest of the binding calls")]
mod binding {
    mod dials;
    mod encoder;
}
#[cfg(unix)]
#[cfg_attr(test, allow(dead_code, reason = "what only the binding calls"))]
mod net;
#[cfg(unix)]
mod numbers;
#[cfg(unix)]
mod panics;
