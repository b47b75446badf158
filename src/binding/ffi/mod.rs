//! The fence: all `unsafe` around Node-API and libuv is in this folder, which gives the rest safe wrappers.
//!
//! A [`Scope`] and the [`Value`]s read through it live no longer than the callback that they were given to, on the JS
//! thread of their environment: their lifetime sees to it. Nothing here knows what it is used for; what Node and libuv
//! call is a [`Host`].
#![allow(unsafe_code, reason = "Node-API and libuv are C interfaces")]

mod export;
mod handle;
mod host;
mod memory;
mod phases;
mod scope;
mod signal;
mod watch;

pub(super) use export::{PANIC, duplicate, export, on_cleanup};
pub(super) use handle::{idle_time, shared_idle_time, waits_for_turn};
pub(super) use host::{Exports, Function, Host};
pub(super) use memory::{Records, Releases, Wakes};
pub(super) use phases::{ClosePhase, PendingPhase};
pub(super) use scope::{Failure, Reference, Scope, Value};
pub(super) use signal::Signal;
pub(super) use watch::{BehindEvents, LoopWatch, Timer, Watch};
