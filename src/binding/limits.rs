//! Calls about the limits of servers: made once a server, or for what is beyond them.
#![allow(unreachable_pub, reason = "#[napi] exports what is pub")]

use std::sync::Arc;

use napi::bindgen_prelude::{Env, Result};
use napi_derive::napi;

use super::arguments::milliseconds;
use super::environment::Environment;
use super::ffi::{Scope, shared_idle_time};
use super::setup::environment;
use crate::net::server_limits::{ServerLimits, Settings};
use crate::net::turn::Turn;

/// The limits of a server.
#[napi(object)]
pub struct LimitSettings {
    /// Of each of `SERVER_LIMITS` its number, -1 for none, and one of `LIMIT_ACTIONS`.
    pub rules: Vec<f64>,
    /// Seconds that a refused client is told to wait.
    pub retry_after: u32,
    /// Milliseconds over which the rate of a body is measured.
    pub grace: f64,
    /// Answered with the server's health; empty for none.
    pub health_path: String,
}

impl Environment {
    /// The turn of the event loop, which is watched from now on.
    fn turn(&self, scope: Scope<'_>) -> Arc<Turn> {
        self.watch_turns(scope);
        let mut watched = self.blocks.turn.borrow_mut();
        let turn = watched.get_or_insert_with(|| Arc::new(Turn::new(shared_idle_time(scope))));
        Arc::clone(turn)
    }
}

/// Gives the server with this block of stats its limits, before it listens or serves.
#[napi(catch_unwind)]
pub fn set_limits(env: Env, stats: i32, settings: LimitSettings) -> Result<()> {
    let environment = environment(env)?;
    let turn = environment.turn(Scope::of(&env));
    let settings = Settings {
        owner: stats,
        rules: settings.rules,
        retry_after: settings.retry_after,
        grace: milliseconds(settings.grace),
        health_path: settings.health_path.into_bytes(),
    };
    environment
        .blocks
        .set_limits(stats, ServerLimits::new(settings, turn));
    Ok(())
}

/// Has LIMITED come again, once, when something is turned away.
#[napi(catch_unwind)]
pub fn hear_of_limits(env: Env, stats: i32) -> Result<()> {
    if let Some(limits) = environment(env)?.blocks.limits(stats) {
        limits.tell_again();
    }
    Ok(())
}

/// Tells whether a server shuts down: its health says so then, and what is answered natively ends its connection.
#[napi(catch_unwind)]
pub fn stop_health(env: Env, stats: i32, is_stopping: bool) -> Result<()> {
    if let Some(limits) = environment(env)?.blocks.limits(stats) {
        limits.stops(is_stopping);
    }
    Ok(())
}

/// An answer that was made here and JavaScript gives.
#[napi(object)]
pub struct LimitAnswer {
    pub status: u32,
    /// Names and values, alternately.
    pub fields: Vec<String>,
    pub body: String,
    /// All of it as bytes, latin1, with `Connection: close`, for a request that is cut off.
    pub last: String,
}

/// Gives, once, the answer to the next request of a connection whose head has `ANSWERED`, or to the one that was cut off.
#[napi(catch_unwind)]
pub fn take_answer(env: Env, id: u32) -> Result<Option<LimitAnswer>> {
    let taken = environment(env)?.with(id, |connection| connection.take_answer());
    Ok(taken.ok().flatten().map(|answer| LimitAnswer {
        status: answer.status().into(),
        fields: answer
            .fields
            .iter()
            .flat_map(|(name, value)| [(*name).to_owned(), value.clone()])
            .collect(),
        last: answer.render_last(),
        body: answer.body,
    }))
}
