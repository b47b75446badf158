#![forbid(unsafe_code)]
#![warn(missing_docs)]
//! HTTP/1.x connections as machines over bytes: no sockets, no clock, no threads, no `unsafe`.
//!
//! Bytes that arrived go into [`Connection::next_event`], which says what they mean; what is to be
//! said goes through [`Connection::send_head`] and its neighbours, which append bytes. The
//! socket, when to read and how long to wait is the business of a driver.
//!
//! # Whose rules
//!
//! Node's, to the byte: what is accepted, how errors are called and where they are found is what
//! Node 26 (llhttp 9.4.3) was measured to do. Where that is not what the RFCs say, the code has a
//! comment beginning with `Node:`; where Node is not followed, one beginning with `RFC:`.
//!
//! # States
//!
//! ```text
//!                 ┌──────────────────────── another message may follow ───────────────────────┐
//!                 ↓                                                                           │
//! receiving     Head ──┬─────────────── no body ───────────────────────────────────┬─ end of message ── Closed
//!                      ├─ Length │ Chunked (Trailers) │ UntilClose ────────────────┘
//!                      └─ Held ─── accept_switch ── Raw
//!                            └──── decline_switch: as without switch
//!
//! sending       Idle ── send_head ── Body ── send_end ──┬─ Idle
//!                ↑↓ send_informational                  └─ Last
//! ```
//!
//! # An exchange
//!
//! ```
//! use http_native_proto::{Config, Connection, Event, OutFraming, Role};
//!
//! let mut client = Connection::new(Role::Client, Config::default());
//! let mut server = Connection::new(Role::Server, Config::default());
//!
//! // The client asks.
//! let mut wire = Vec::new();
//! client.expect_response(false, false);
//! client.send_head(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 4,
//!     OutFraming::Chunked, &mut wire)?;
//! if client.begin_data(2, &mut wire) {
//!     wire.extend_from_slice(b"hi");
//!     client.finish_data(&mut wire);
//! }
//! client.send_end(b"", 0, false, &mut wire)?;
//! assert!(wire.ends_with(b"\r\n\r\n2\r\nhi\r\n0\r\n\r\n"));
//!
//! // The server hears it.
//! let mut input = wire.as_slice();
//! let Event::Request(head) = server.next_event(&mut input)? else { panic!() };
//! assert_eq!((head.method.as_str(), head.target), ("POST", &b"/echo"[..]));
//! assert_eq!(head.fields.get("host"), Some(&b"a"[..]));
//! assert!(matches!(server.next_event(&mut input)?, Event::Data(b"hi")));
//! assert!(matches!(server.next_event(&mut input)?, Event::End(trailers) if trailers.is_empty()));
//! assert!(matches!(server.next_event(&mut input)?, Event::NeedData));
//! assert_eq!(server.outstanding(), 1);
//!
//! // The server answers.
//! let mut wire = Vec::new();
//! server.send_head(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 3,
//!     OutFraming::Length(2), &mut wire)?;
//! if server.begin_data(2, &mut wire) {
//!     wire.extend_from_slice(b"hi");
//!     server.finish_data(&mut wire);
//! }
//! server.send_end(b"", 0, false, &mut wire)?;
//! assert!(server.is_idle() && server.must_close().is_none());
//!
//! // The client hears it, and both could go on.
//! let mut input = wire.as_slice();
//! let Event::Response(head) = client.next_event(&mut input)? else { panic!() };
//! assert_eq!((head.status, head.keep_alive), (200, true));
//! assert!(matches!(client.next_event(&mut input)?, Event::Data(b"hi")));
//! assert!(matches!(client.next_event(&mut input)?, Event::End(_)));
//! assert!(matches!(client.next_event(&mut input)?, Event::NeedData));
//! assert!(client.is_idle() && client.must_close().is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod body;
mod client;
mod config;
mod connection;
mod error;
mod event;
mod forbidden;
mod hardening;
mod head;
mod headers;
mod judge;
mod method;
mod receive;
mod send;
mod server;
mod state;
mod switch;
mod token;

pub use config::{Config, Leniency, Role, Surplus};
pub use connection::Connection;
pub use error::{CloseReason, Error, ErrorKind, SendError, Side};
pub use event::{BodyFraming, Event, RequestHead, ResponseHead};
pub use hardening::{Hardening, Row};
pub use headers::{Fields, Iter};
pub use method::{METHODS, Method};
pub use state::OutFraming;
