//! Exports, and the calls that are made once a listener or a connection.
#![allow(unreachable_pub, reason = "#[napi] exports what is pub")]

use std::io;
use std::net::SocketAddr;
use std::os::fd::IntoRawFd;
use std::rc::Rc;
use std::sync::Arc;

use http_native_proto::{Config, Hardening, Leniency, Role, Surplus};
use napi::bindgen_prelude::{Env, Object, Result};
use napi::{Error, Status};
use napi_derive::napi;

use super::arguments::milliseconds;
use super::commands::EXPORTS;
use super::environment::Environment;
use super::ffi::{self, Scope};
use super::tables;
use crate::net::backlog::waiting;
use crate::net::connection::Connection;
use crate::net::listener::Listener;
use crate::net::options::{Accepted, ServerOptions};
use crate::net::shared::Command;
use crate::net::socket::errno;

/// What lib/addon.js compares with its own.
#[napi]
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Limits and leniencies of the messages of a connection.
#[napi(object)]
pub struct HttpConfig {
    /// Bytes; the head must stay below.
    pub max_header_size: u32,
    /// Fields of a head or of trailers; 0 for no limit.
    pub max_headers: u32,
    /// What becomes of the fields beyond, as in `SURPLUS`.
    pub surplus: u32,
    /// The grammar of llhttp 9.3, not 9.4.
    pub llhttp93: bool,
    /// llhttp's lenient bits; `LENIENCY` has some.
    pub leniency: u32,
    /// What becomes of what the RFCs forbid and core lets through, as in `HARDENING`.
    pub hardening: u32,
}

impl From<HttpConfig> for Config {
    fn from(config: HttpConfig) -> Self {
        Self {
            max_header_size: config.max_header_size,
            max_headers: config.max_headers,
            surplus: [Surplus::Refuse, Surplus::Drop, Surplus::DropGroups]
                .into_iter()
                .find(|surplus| *surplus as u32 == config.surplus)
                .unwrap_or_default(),
            llhttp_93: config.llhttp93,
            leniency: Leniency(config.leniency as u16),
            hardening: [Hardening::Off, Hardening::Strict, Hardening::Audit]
                .into_iter()
                .find(|hardening| *hardening as u32 == config.hardening)
                .unwrap_or_default(),
        }
    }
}

/// Options of the accepted sockets.
#[napi(object)]
pub struct AcceptOptions {
    pub no_delay: Option<bool>,
    pub keep_alive: Option<bool>,
    /// Milliseconds.
    pub keep_alive_initial_delay: Option<f64>,
}

/// An end of a connection, as `socket.address()` gives it.
#[napi(object)]
pub struct SocketAddress {
    pub address: Option<String>,
    pub family: Option<String>,
    pub port: Option<u32>,
    /// Unix sockets.
    pub path: Option<String>,
}

impl SocketAddress {
    fn new(address: SocketAddr, scope_id: Option<u32>) -> Self {
        let text = match scope_id {
            Some(scope) => format!("{}%{scope}", address.ip()),
            None => address.ip().to_string(),
        };
        Self {
            address: Some(text),
            family: Some(if address.is_ipv4() { "IPv4" } else { "IPv6" }.into()),
            port: Some(address.port().into()),
            path: None,
        }
    }
}

/// Adds the raw functions and sets the environment up.
#[napi(module_exports)]
pub fn init(mut exports: Object, env: Env) -> Result<()> {
    let environment = Rc::new(Environment::new());
    // Before there is anything to tear down: a worker that is terminated meanwhile refuses the calls below.
    ffi::on_cleanup(&env, &environment)?;
    let opened = environment.signal.open(&env, &environment);
    opened.map_err(|_| Error::new(Status::GenericFailure, "http-native: no async handle"))?;
    for (name, function) in EXPORTS {
        ffi::export(&env, &exports, &environment, name, function)?;
    }
    tables::export(&env, &mut exports)?;
    env.set_instance_data(environment, (), |_| {})
}

pub(super) fn environment(env: Env) -> Result<Rc<Environment>> {
    env.get_instance_data::<Rc<Environment>>()?
        .map(|environment| Rc::clone(environment))
        .ok_or_else(|| {
            Error::new(
                Status::GenericFailure,
                "http-native: the environment is gone",
            )
        })
}

fn keep_alive(on: Option<bool>, delay: Option<f64>) -> Option<std::time::Duration> {
    on.unwrap_or(false)
        .then(|| milliseconds(delay.unwrap_or(0.0)))
}

/// What the connections of a server share. Gives the listener's id, or a negative errno. It does not listen yet.
#[napi(catch_unwind)]
pub fn open_listener(
    env: Env,
    options: AcceptOptions,
    config: HttpConfig,
    stats: i32,
) -> Result<i32> {
    let environment = environment(env)?;
    let threads = match environment.threads() {
        Ok(threads) => threads,
        Err(error) => return Ok(errno(&error)),
    };
    let id = environment.next_listener();
    let accepted = Accepted {
        no_delay: options.no_delay.unwrap_or(false),
        keep_alive: keep_alive(options.keep_alive, options.keep_alive_initial_delay),
    };
    let options = ServerOptions::new(id, config.into(), accepted, environment.blocks.get(stats))
        .limited(environment.blocks.limits(stats));
    environment.watch_turns(Scope::of(&env));
    environment.add_listener(Arc::new(Listener::new(options, threads)));
    Ok(id as i32)
}

/// The listener of this id, which lib/server/listener.js has not closed.
fn listener(environment: &Environment, id: u32) -> io::Result<Arc<Listener>> {
    environment
        .with_listener(id, |bound| Arc::clone(&bound.listener))
        // EBADF
        .ok_or_else(|| io::Error::from_raw_os_error(9))
}

/// Listens on a duplicate of a bound socket, which other listeners may have, too (`is_shared`), and keeps the process alive. Gives 0 or
/// a negative errno.
#[napi(catch_unwind)]
pub fn listen(env: Env, id: u32, fd: i32, backlog: i32, is_shared: bool) -> Result<i32> {
    let environment = environment(env)?;
    let scope = Scope::of(&env);
    let outcome = listener(&environment, id).and_then(|listener| {
        environment.listen(scope, &listener, ffi::duplicate(fd)?, backlog, is_shared)
    });
    Ok(match outcome {
        Ok(()) => {
            environment.hold_listener(scope, id, true);
            0
        }
        Err(error) => errno(&error),
    })
}

/// Serves a duplicate of an accepted socket. Gives the connection's id, or a negative errno; no ACCEPT follows.
#[napi(catch_unwind)]
pub fn adopt(env: Env, id: u32, fd: i32) -> Result<i32> {
    let environment = environment(env)?;
    let adopted = listener(&environment, id)
        .and_then(|listener| environment.adopt(Scope::of(&env), ffi::duplicate(fd)?, &listener));
    Ok(adopted.map_or_else(|error| errno(&error), |id| id as i32))
}

/// Stops accepting; gives the ids of the connections that were accepted already and whose ACCEPT had not come yet.
/// It never will. `takes`: those, too, that wait in the kernel's backlog, and would be reset.
#[napi(catch_unwind)]
pub fn end_accepting(env: Env, id: u32, takes: bool) -> Result<Vec<u32>> {
    let environment = environment(env)?;
    let Ok(listener) = listener(&environment, id) else {
        return Ok(Vec::new());
    };
    environment.accepts_at.unwatch(id);
    let waiting = if takes {
        listener.close_behind()
    } else {
        listener.close();
        Vec::new()
    };
    listener.await_arrivals();
    let scope = Scope::of(&env);
    let mut ids = environment.know_accepted(scope, &listener);
    // Those that the limits turn away are answered by that.
    let taken = waiting
        .into_iter()
        .filter_map(|socket| environment.adopt(scope, socket, &listener).ok());
    ids.extend(taken);
    Ok(ids)
}

/// Descriptors of the connections that wait in the backlog of a socket on which Node listens. They are the caller's.
#[napi(catch_unwind)]
pub fn accept_waiting(fd: i32) -> Result<Vec<i32>> {
    let accepted = ffi::duplicate(fd).map_or_else(|_| Vec::new(), |socket| waiting(&socket));
    Ok(accepted.into_iter().map(IntoRawFd::into_raw_fd).collect())
}

/// Stops listening.
#[napi(catch_unwind)]
pub fn close_listener(env: Env, id: u32) -> Result<()> {
    environment(env)?.close_listener(Scope::of(&env), id);
    Ok(())
}

/// Idle times in milliseconds: between exchanges, and otherwise; 0 for no limit. `hold`: connections come paused.
#[napi(catch_unwind)]
pub fn configure_listener(env: Env, id: u32, keep_alive: f64, idle: f64, hold: bool) -> Result<()> {
    environment(env)?.with_listener(id, |bound| {
        bound.listener.options.configure(
            milliseconds(keep_alive).as_millis() as u64,
            milliseconds(idle).as_millis() as u64,
            hold,
        );
    });
    Ok(())
}

/// Reports the listener's connections whose head or message takes longer (milliseconds; 0 for no limit).
#[napi(catch_unwind)]
pub fn expire(env: Env, id: u32, headers: f64, request: f64) -> Result<()> {
    let environment = environment(env)?;
    let (headers, request) = (milliseconds(headers), milliseconds(request));
    environment.with_listener(id, |bound| {
        for thread in bound.listener.threads() {
            thread.mailbox.deliver([Command::Expire {
                server: id,
                headers,
                request,
            }]);
        }
    });
    environment.expire_undriven(id, headers, request);
    Ok(())
}

/// Makes a duplicate of a connected socket a client's connection. Gives its id, or a negative errno.
#[napi(catch_unwind)]
pub fn carry(env: Env, fd: i32, config: HttpConfig, stats: i32) -> Result<i32> {
    let environment = environment(env)?;
    environment.watch_turns(Scope::of(&env));
    let carried = ffi::duplicate(fd).and_then(|socket| {
        socket.set_nonblocking(true)?;
        environment.carry(Scope::of(&env), socket, config.into(), stats)
    });
    Ok(carried.map_or_else(|error| errno(&error), |id| id as i32))
}

/// Makes a socket that has connected, by `dial`, a client's connection with the id of the dial. Gives 0, or a negative errno: then
/// the dial is over, too.
#[napi(catch_unwind)]
pub fn carry_dialled(env: Env, id: u32, config: HttpConfig, stats: i32) -> Result<i32> {
    let environment = environment(env)?;
    environment.watch_turns(Scope::of(&env));
    let carried = environment.carry_dialled(Scope::of(&env), id, config.into(), stats);
    Ok(carried.map_or_else(|error| errno(&error), |()| 0))
}

/// Driver two: a connection whose bytes belong to a JS stream. `role` 0 is the server's side, 1 the client's.
#[napi(catch_unwind)]
pub fn open(env: Env, role: u32, config: HttpConfig, stats: i32) -> Result<u32> {
    let environment = environment(env)?;
    environment.watch_turns(Scope::of(&env));
    let id = environment.ids.take();
    let role = if role == 0 {
        Role::Server
    } else {
        Role::Client
    };
    let mut connection =
        Connection::over_stream(id, role, config.into(), environment.blocks.get(stats));
    if role == Role::Server {
        connection.limit(environment.blocks.limits(stats));
    }
    environment.know(Scope::of(&env), Arc::new(connection), false);
    Ok(id)
}

/// Limits for the messages to come on this connection.
#[napi(catch_unwind)]
pub fn configure(env: Env, id: u32, config: HttpConfig) -> Result<()> {
    // A connection that has just closed needs no limits.
    let _ = environment(env)?.with(id, |connection| connection.configure(config.into()));
    Ok(())
}

/// What the addon has at the moment.
#[napi(object)]
pub struct NativeObjects {
    /// Connections in the process that anything refers to, the I/O threads included.
    pub connections: u32,
    /// Those that JavaScript can name, of this environment.
    pub known: u32,
    /// Those whose socket is lent to the JS thread.
    pub lent: u32,
    /// Listeners, also those that accept no more while they have connections.
    pub listeners: u32,
    /// What the events weigh that wait for JavaScript, bytes.
    pub waiting: u32,
}

/// Counts what the addon has, for tests, and for an application that looks for a leak.
#[napi(catch_unwind)]
pub fn objects(env: Env) -> Result<NativeObjects> {
    let environment = environment(env)?;
    let known = environment.known.borrow();
    Ok(NativeObjects {
        connections: Connection::alive() as u32,
        known: known.iter().flatten().count() as u32,
        lent: environment.loans.running().len() as u32,
        listeners: environment.listeners.borrow().len() as u32,
        waiting: environment.wake.weight() as u32,
    })
}

/// Our end of a connection, or of a dial, or the peer's; nothing once it is closed.
#[napi(catch_unwind)]
pub fn address(env: Env, id: u32, peer: bool) -> Result<Option<SocketAddress>> {
    let environment = environment(env)?;
    let address = match environment.dials.socket(id) {
        Some(socket) if peer => socket.peer_addr().ok(),
        Some(socket) => socket.local_addr().ok(),
        None => environment
            .with(id, |connection| {
                if peer {
                    connection.peer_address()
                } else {
                    connection.local_address()
                }
            })
            .ok()
            .flatten(),
    };
    Ok(address
        .and_then(|address| address.as_socket())
        .map(|address| {
            let scope_id = match address {
                SocketAddr::V6(v6) if v6.scope_id() != 0 => Some(v6.scope_id()),
                _ => None,
            };
            SocketAddress::new(address, scope_id)
        }))
}

/// Has what passes the place of this name next panic there (`src/panics.rs`). Only in an addon of tests.
#[cfg(feature = "inject-panics")]
#[napi(catch_unwind)]
pub fn inject_panic(place: String) -> bool {
    crate::panics::arm(&place)
}

/// True if the panic that was asked for has not come.
#[cfg(feature = "inject-panics")]
#[napi(catch_unwind)]
pub fn is_panic_due(place: String) -> bool {
    crate::panics::is_armed(&place)
}
