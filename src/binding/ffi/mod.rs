//! The fence: all `unsafe` around Node-API and libuv is in this folder, which gives the rest safe wrappers.
//!
//! They are sound under one rule, which Node-API keeps for us: a [`Scope`] and the [`Value`]s read through it live
//! no longer than the callback that they were given to, on the JS thread of their environment.
#![allow(unsafe_code, reason = "Node-API and libuv are C interfaces")]

mod export;
mod memory;
mod scope;
mod signal;
mod uv;

pub(super) use export::{Exported, Function, duplicate, export, on_cleanup};
pub(super) use memory::{Records, Releases};
pub(super) use scope::{Failure, Reference, Scope, Value};
pub(super) use signal::Signal;
pub(super) use uv::{Watch, at_close_phase, waits_for_turn};
