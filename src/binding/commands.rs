//! The hot commands: raw functions on a connection id. `docs/BOUNDARY.md` has the table.

use std::ffi::CStr;
use std::os::fd::IntoRawFd;

use super::arguments::{Outcome, id, milliseconds};
use super::environment::{Dispatch, Environment};
use super::ffi::{Failure, Function, PANIC, Records, Scope, Value};
use super::sending::{send, write_raw};
use super::{dialling, send_flags as flags, stats};
use crate::net::connection::{Batch, Connection};
use crate::net::socket::{errno, set_keep_alive};
use crate::net::stats::Close;
use http_native_proto::Row;

/// The raw functions by name.
pub(super) const EXPORTS: [(&CStr, Function<Environment>); 56] = [
    (c"start", start),
    (c"send", send),
    (c"report", |_, scope, arguments| {
        scope.report(arguments[0])?;
        Ok(None)
    }),
    (c"writeRaw", write_raw),
    (c"flush", |environment, scope, _| {
        environment.flush(scope);
        Ok(None)
    }),
    (c"flushNow", |environment, _, _| {
        environment.flush_now();
        Ok(None)
    }),
    (c"pending", |environment, scope, arguments| {
        let pending = environment.with(id(scope, arguments)?, |connection| connection.pending())?;
        Ok(Some(scope.number(pending as f64)?))
    }),
    (c"waiting", |environment, scope, arguments| {
        let is_corked = scope.bool(arguments[1])?;
        let waiting = environment.with(id(scope, arguments)?, |connection| {
            connection.waiting(is_corked)
        })?;
        Ok(Some(scope.number(waiting as f64)?))
    }),
    (c"takes", |environment, scope, arguments| {
        let id = id(scope, arguments)?;
        let at = scope.f64(arguments[1])? as u64;
        let asks = scope.bool(arguments[2])?;
        let at = environment.with(id, |connection| connection.take(at, asks))?;
        if at != 0 {
            environment.mark(id);
        }
        Ok(Some(scope.number(at as f64)?))
    }),
    (c"writeNow", |environment, scope, arguments| {
        let id = id(scope, arguments)?;
        let is_taken = environment.with(id, |connection| connection.write_now())?;
        environment.mark(id);
        Ok(Some(scope.integer(i32::from(is_taken))?))
    }),
    (c"writeAtOnce", |environment, scope, arguments| {
        let id = id(scope, arguments)?;
        environment.write_at_once(id, 1);
        environment.mark(id);
        Ok(None)
    }),
    (c"taken", |environment, scope, arguments| {
        let taken = environment.with(id(scope, arguments)?, |connection| connection.taken())?;
        Ok(Some(scope.number(taken as f64)?))
    }),
    (c"hasRoom", |environment, scope, arguments| {
        let id = id(scope, arguments)?;
        let has_room = environment.with(id, |connection| connection.has_room())?;
        if !has_room {
            environment.mark(id);
        }
        Ok(Some(scope.integer(i32::from(has_room))?))
    }),
    (c"narrow", |environment, scope, arguments| {
        environment.wake.narrow(scope.bool(arguments[0])?);
        Ok(None)
    }),
    (c"pause", |environment, scope, arguments| {
        environment.with(id(scope, arguments)?, |connection| connection.pause())?;
        Ok(None)
    }),
    (c"resume", |environment, scope, arguments| {
        say(environment, scope, arguments, Connection::resume)
    }),
    (c"upgrade", |environment, scope, arguments| {
        let accept = scope.bool(arguments[1])?;
        say(environment, scope, arguments, |connection| {
            connection.upgrade(accept)
        })
    }),
    (c"leaveHttp", |environment, scope, arguments| {
        say(environment, scope, arguments, |connection| {
            connection.leave_http()
        })
    }),
    (c"upgradeAfterBody", |environment, scope, arguments| {
        let id = id(scope, arguments)?;
        let told = feed(environment, scope, id, Connection::upgrade_after_body)?;
        environment.mark(id);
        Ok(told)
    }),
    (c"dial", dialling::dial_to),
    (c"hangUp", |environment, scope, arguments| {
        environment.hang_up(scope, id(scope, arguments)?);
        Ok(None)
    }),
    (c"expectNothing", |environment, scope, arguments| {
        say(environment, scope, arguments, Connection::expect_nothing)
    }),
    (c"expect", |environment, scope, arguments| {
        let flags = scope.i32(arguments[1])?;
        let (method, _) = &mut *environment.scratch.borrow_mut();
        scope.string(arguments[2], false, method)?;
        say(environment, scope, arguments, |connection| {
            connection.expect(
                flags & flags::REQUEST_HEAD != 0,
                flags & flags::REQUEST_CONNECT != 0,
                method,
            )
        })
    }),
    (c"answered", |environment, scope, arguments| {
        let written = scope.f64(arguments[1]).unwrap_or(0.0) as u64;
        let status = scope.i32(arguments[2])? as u16;
        say(environment, scope, arguments, |connection| {
            connection.answered(status, written)
        })
    }),
    (c"answers", |environment, scope, arguments| {
        let status = scope.i32(arguments[1])? as u16;
        environment.with(id(scope, arguments)?, |connection| {
            connection.answers(status)
        })?;
        Ok(None)
    }),
    (c"noteClose", |environment, scope, arguments| {
        let close = Close {
            reason: scope.i32(arguments[1])?,
            errno: scope.i32(arguments[2])?,
        };
        environment.with(id(scope, arguments)?, |connection| {
            connection.note_close(close)
        })?;
        Ok(None)
    }),
    (c"closeReason", |environment, scope, arguments| {
        let close = environment.with(id(scope, arguments)?, |connection| {
            connection.close_reason()
        })?;
        Ok(Some(scope.integer(close.reason)?))
    }),
    (c"openStats", |environment, scope, arguments| {
        let index = environment.blocks.open(scope.i32(arguments[0])?);
        Ok(Some(scope.integer(index as i32)?))
    }),
    (c"closeStats", |environment, scope, arguments| {
        environment.blocks.close(scope.i32(arguments[0])? as usize);
        Ok(None)
    }),
    (c"readStats", |environment, scope, arguments| {
        stats::read(&environment.blocks, scope, scope.i32(arguments[0])?)
    }),
    (c"surrender", |environment, scope, arguments| {
        let id = id(scope, arguments)?;
        let given = match environment.with(id, |connection| connection.surrender()) {
            Err(Failure::Broken) => None,
            given => given?,
        };
        environment.mark(id);
        let Some((socket, rest)) = given else {
            return Ok(None);
        };
        // The event loop must not watch it twice.
        environment.end_loan(id);
        let unread = environment.take_raw(id)?;
        let given = scope.array()?;
        let unread = scope.buffer(&unread)?;
        scope.set(given, 2, unread)?;
        let rest = scope.buffer(&rest)?;
        scope.set(given, 1, rest)?;
        scope.set(given, 0, scope.integer(socket.into_raw_fd())?)?;
        Ok(Some(given))
    }),
    (c"tap", |environment, scope, arguments| {
        say(environment, scope, arguments, Connection::tap)
    }),
    (c"takeHead", |environment, scope, arguments| {
        let head = environment.with(id(scope, arguments)?, |connection| connection.take_head())?;
        Ok(Some(scope.buffer(&head)?))
    }),
    (c"takeNoted", |environment, scope, arguments| {
        let rows = environment.with(id(scope, arguments)?, |connection| connection.take_noted())?;
        let numbers: Vec<_> = rows.into_iter().map(Row::number).collect();
        Ok(Some(scope.buffer(&numbers)?))
    }),
    (c"shutdown", |environment, scope, arguments| {
        let tells = scope.bool(arguments[1])?;
        say(environment, scope, arguments, |connection| {
            connection.shutdown(tells)
        })
    }),
    (c"close", |environment, scope, arguments| {
        say(environment, scope, arguments, Connection::close)
    }),
    (c"destroy", |environment, scope, arguments| {
        environment.closing.closes(scope, environment)?;
        let receives = scope.bool(arguments[1])?;
        let unheard = scope.bool(arguments[2])?;
        say(environment, scope, arguments, |connection| {
            connection.destroy(unheard || receives && connection.is_unheard())
        })?;
        environment.act_at_once(scope, id(scope, arguments)?);
        Ok(None)
    }),
    (c"closes", |environment, scope, _| {
        environment.closing.has_callback();
        environment.closing.closes(scope, environment)?;
        Ok(None)
    }),
    (c"pends", |environment, scope, _| {
        environment.closing.has_pending_callback();
        environment.pends(scope)?;
        Ok(None)
    }),
    (c"discard", |environment, scope, arguments| {
        say(environment, scope, arguments, Connection::discard)
    }),
    (c"reset", |environment, scope, arguments| {
        environment.closing.closes(scope, environment)?;
        say(environment, scope, arguments, Connection::reset)
    }),
    (c"setTimeout", |environment, scope, arguments| {
        let idle = milliseconds(scope.f64(arguments[1])?);
        say(environment, scope, arguments, |connection| {
            connection.set_timeout(idle)
        })
    }),
    (c"setNoDelay", |environment, scope, arguments| {
        let on = scope.bool(arguments[1])?;
        option(environment, scope, arguments, |socket| {
            socket.set_tcp_nodelay(on)
        })
    }),
    (c"setKeepAlive", |environment, scope, arguments| {
        let (on, delay) = (
            scope.bool(arguments[1])?,
            milliseconds(scope.f64(arguments[2])?),
        );
        option(environment, scope, arguments, |socket| {
            set_keep_alive(socket, on, delay)
        })
    }),
    (c"ref", |environment, scope, arguments| {
        environment.hold_connection(scope, id(scope, arguments)?, true);
        Ok(None)
    }),
    (c"unref", |environment, scope, arguments| {
        let id = id(scope, arguments)?;
        environment.hold_while_working(scope, id);
        environment.hold_connection(scope, id, false);
        Ok(None)
    }),
    (c"isPipe", |environment, scope, arguments| {
        let is_unix = environment.with(id(scope, arguments)?, |connection| connection.is_unix())?;
        Ok(Some(scope.integer(i32::from(is_unix))?))
    }),
    (c"isIdle", |environment, scope, arguments| {
        let idleness =
            environment.with(id(scope, arguments)?, |connection| connection.idleness())?;
        Ok(Some(scope.integer(idleness)?))
    }),
    (c"isStale", |environment, scope, arguments| {
        let stale = environment.with(id(scope, arguments)?, |connection| connection.is_stale())?;
        Ok(Some(scope.integer(i32::from(stale))?))
    }),
    (c"hasUnread", |environment, scope, arguments| {
        let has = environment.with(id(scope, arguments)?, |connection| connection.has_unread())?;
        Ok(Some(scope.integer(i32::from(has))?))
    }),
    (c"bytesRead", |environment, scope, arguments| {
        let read = environment.with(id(scope, arguments)?, |connection| connection.bytes_read())?;
        Ok(Some(scope.number(read as f64)?))
    }),
    (c"bytesWritten", |environment, scope, arguments| {
        let written =
            environment.with(id(scope, arguments)?, |connection| connection.bytes_said())?;
        Ok(Some(scope.number(written as f64)?))
    }),
    (c"release", |environment, scope, arguments| {
        let written = scope.f64(arguments[1]).unwrap_or(0.0) as u64;
        environment.forget(scope, id(scope, arguments)?, written);
        Ok(None)
    }),
    (c"receive", receive),
    (c"refListener", |environment, scope, arguments| {
        environment.hold_listener(scope, id(scope, arguments)?, true);
        Ok(None)
    }),
    (c"unrefListener", |environment, scope, arguments| {
        environment.hold_listener(scope, id(scope, arguments)?, false);
        Ok(None)
    }),
];

/// Runs a command and marks its connection.
fn say<'s>(
    environment: &Environment,
    scope: Scope<'s>,
    arguments: &[Value<'s>; 6],
    command: impl FnOnce(&Connection),
) -> Outcome<'s> {
    let id = id(scope, arguments)?;
    environment.with(id, |connection| command(connection))?;
    environment.mark(id);
    Ok(None)
}

/// Sets a socket option. Gives 0 or a negative errno, as libuv's handles do.
fn option<'s>(
    environment: &Environment,
    scope: Scope<'s>,
    arguments: &[Value<'s>; 6],
    set: impl FnOnce(&socket2::Socket) -> std::io::Result<()>,
) -> Outcome<'s> {
    let transport = environment.with(id(scope, arguments)?, |connection| connection.transport())?;
    let status = transport.socket().map_or(Ok(()), |socket| set(socket));
    let errno = status.map_or_else(|error| errno(&error), |()| 0);
    Ok(Some(scope.integer(errno)?))
}

fn start<'s>(
    environment: &Environment,
    scope: Scope<'s>,
    arguments: &[Value<'s>; 6],
) -> Outcome<'s> {
    let [function, records, values, fed_records, fed_values, ..] = *arguments;
    *environment.dispatch.borrow_mut() = Some(Dispatch {
        function: scope.reference(function)?,
        values: scope.reference(values)?,
        records: Records::new(scope, records)?,
        fed_values: scope.reference(fed_values)?,
        fed_records: Records::new(scope, fed_records)?,
    });
    Ok(None)
}

/// Driver two: parses a chunk (null: the end).
fn receive<'s>(
    environment: &Environment,
    scope: Scope<'s>,
    arguments: &[Value<'s>; 6],
) -> Outcome<'s> {
    let chunk = scope.bytes(arguments[1]).ok();
    feed(
        environment,
        scope,
        id(scope, arguments)?,
        |connection, batch| connection.receive(chunk, batch),
    )
}

/// Tells of the events that `parse` appends: their number, doubled, and 1 more if the caller should ask again, with nothing.
fn feed<'s>(
    environment: &Environment,
    scope: Scope<'s>,
    id: u32,
    parse: impl FnOnce(&Connection, &mut Batch) -> bool,
) -> Outcome<'s> {
    let fed = &mut *environment.fed.borrow_mut();
    fed.restart();
    let more = environment.with(id, |connection| parse(connection, &mut fed.batch));
    // The caller hears of a bug at once, and of no events.
    let more = more.map_err(|failure| match failure {
        Failure::Broken => PANIC,
        failure => failure,
    })?;
    let count = environment.encode_now(scope, fed)?;
    Ok(Some(scope.integer(count << 1 | i32::from(more))?))
}
