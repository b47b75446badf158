//! The commands that send: a message's parts, and raw bytes. `docs/BOUNDARY.md` has their arguments.

use http_native_proto::OutFraming;

use super::arguments::{Outcome, id};
use super::environment::Environment;
use super::ffi::{Failure, Scope, Value};
use super::send_flags as flags;
use crate::net::limits::SEGMENT;
use crate::net::message::{Block, Body, Head, Message};

/// Bytes that are pending, and will be for ever, on a connection that has just broken: so many that a writer waits, and hears
/// of the end.
const LOST: usize = 1 << 30;

/// The body of `send` and `writeRaw`: a string goes through `scratch`, a large array stays where it is unless it is to
/// count as taken.
fn body<'a>(
    environment: &Environment,
    scope: Scope<'_>,
    value: Value<'_>,
    utf8: bool,
    is_told: bool,
    scratch: &'a mut Vec<u8>,
) -> Result<Body<'a>, Failure> {
    if scope.is_string(value) {
        scope.string(value, utf8, scratch)?;
        return Ok(if scratch.len() < SEGMENT {
            Body::Copied(scratch)
        } else {
            Body::Owned(std::mem::take(scratch).into())
        });
    }
    let bytes = scope.bytes(value)?;
    if bytes.len() < SEGMENT {
        scratch.clear();
        scratch.extend_from_slice(bytes);
        return Ok(Body::Copied(scratch));
    }
    Ok(Body::Borrowed {
        bytes: scope.kept(value, &environment.releases)?,
        is_told,
    })
}

pub(super) fn send<'s>(
    environment: &Environment,
    scope: Scope<'s>,
    arguments: &[Value<'s>; 6],
) -> Outcome<'s> {
    let id = id(scope, arguments)?;
    let flags = scope.i32(arguments[1])?;
    let (block, text) = &mut *environment.scratch.borrow_mut();
    block.clear();
    let mut lines = 0;
    if flags & (flags::HEAD | flags::INFORMATIONAL | flags::TRAILERS) != 0 {
        scope.string(arguments[2], flags & flags::HEAD_UTF8 != 0, block)?;
        lines = scope.i32(arguments[3])? as u32;
    }
    let block = || Block {
        bytes: block.as_slice(),
        lines,
    };
    let head = if flags & flags::INFORMATIONAL != 0 {
        Head::Informational(block())
    } else if flags & flags::HEAD != 0 {
        let framing = match flags & flags::FRAMING {
            flags::LENGTH => OutFraming::Length(scope.f64(arguments[5])? as u64),
            flags::CHUNKED => OutFraming::Chunked,
            flags::UNTIL_CLOSE => OutFraming::UntilClose,
            _ => OutFraming::None,
        };
        Head::Final(block(), framing)
    } else {
        Head::None
    };
    let end = (flags & flags::END != 0).then(|| {
        if flags & flags::TRAILERS != 0 {
            block()
        } else {
            Block {
                bytes: b"",
                lines: 0,
            }
        }
    });
    let message = Message {
        head,
        request_head: flags & flags::REQUEST_HEAD != 0,
        request_connect: flags & flags::REQUEST_CONNECT != 0,
        body: if flags & flags::BODY == 0 {
            Body::None
        } else {
            body(
                environment,
                scope,
                arguments[4],
                flags & flags::BODY_UTF8 != 0,
                flags & flags::UNTOLD == 0,
                text,
            )?
        },
        end,
        last: flags & flags::LAST != 0,
        cork: flags & flags::CORK != 0,
        under_cork: flags & flags::UNDER_CORK != 0,
    };
    let pending = match environment.with(id, |connection| connection.send(message)) {
        Ok(Ok(pending)) => pending,
        Ok(Err(_)) => {
            return Err(Failure::Throw(
                "ERR_INVALID_CHAR",
                "Invalid character in header content",
            ));
        }
        Err(Failure::Broken) => LOST,
        Err(failure) => return Err(failure),
    };
    let left = match flags & flags::AT_ONCE {
        0 => None,
        _ => environment.write_at_once(id, u32::from(flags & flags::END == 0)),
    };
    environment.mark(id);
    Ok(Some(scope.number(left.unwrap_or(pending) as f64)?))
}

pub(super) fn write_raw<'s>(
    environment: &Environment,
    scope: Scope<'s>,
    arguments: &[Value<'s>; 6],
) -> Outcome<'s> {
    let id = id(scope, arguments)?;
    let (_, text) = &mut *environment.scratch.borrow_mut();
    let utf8 = scope.bool(arguments[2]).unwrap_or(false);
    let body = body(environment, scope, arguments[1], utf8, true, text)?;
    let pending = match environment.with(id, |connection| connection.write_raw(body)) {
        Err(Failure::Broken) => LOST,
        pending => pending?,
    };
    let left = match scope.bool(arguments[3]).unwrap_or(false) {
        false => None,
        true => environment.write_at_once(id, 1),
    };
    environment.mark(id);
    Ok(Some(scope.number(left.unwrap_or(pending) as f64)?))
}
