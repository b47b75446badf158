//! Arguments and results of the raw functions.

use std::time::Duration;

use super::ffi::{Failure, Scope, Value};

/// What a raw function gives to JavaScript.
pub(super) type Outcome<'s> = Result<Option<Value<'s>>, Failure>;

/// The connection's id, the first argument.
pub(super) fn id(scope: Scope<'_>, arguments: &[Value<'_>; 6]) -> Result<u32, Failure> {
    Ok(scope.i32(arguments[0])? as u32)
}

/// A JS number of milliseconds; what is no time is none.
pub(super) fn milliseconds(ms: f64) -> Duration {
    // 2^31: setTimeout's limit is below, and no Instant overflows.
    Duration::from_millis(ms.clamp(0.0, 2_147_483_648.0) as u64)
}
