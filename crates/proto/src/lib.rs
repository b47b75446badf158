#![forbid(unsafe_code)]
#![warn(missing_docs)]
//! HTTP/1.x as machines over bytes.

mod body;
mod client;
mod config;
mod connection;
mod error;
mod event;
mod head;
mod headers;
mod method;
mod receive;
mod send;
mod server;
mod state;
mod token;

pub use config::{Config, Leniency};
pub use connection::{Connection, OutFraming, Role};
pub use error::{CloseReason, Error, ErrorKind, SendError, Side};
pub use event::{BodyFraming, Event, RequestHead, ResponseHead};
pub use headers::{Fields, Iter};
pub use method::{METHODS, Method};
