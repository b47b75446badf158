//! Node-API: encodes events for JavaScript and makes commands of its calls.
//!
//! The hot calls use `napi_sys` directly (a `#[napi]` call costs five times as much, docs/BOUNDARY.md); all
//! `unsafe` is in [`ffi`].

mod accepting;
mod arguments;
mod broken;
mod carry;
mod closing;
mod commands;
mod dialling;
mod dials;
mod dispatch;
mod encode;
mod encoder;
mod environment;
mod ffi;
mod flush;
mod host;
mod lending;
mod limits;
mod listeners;
mod listening;
mod loans;
mod records;
mod send_flags;
mod sending;
mod setup;
mod stats;
mod tables;
