//! The limits that a server may have, and what becomes of what is beyond them (docs/LIMITS.md).

use crate::numbers::numbers;

numbers! {
    /// The limits of a server, by their places in its settings and in its stats.
    SERVER_LIMITS {
        /// Open connections.
        CONNECTIONS = 0,
        /// Open connections of one address, or of one /64 of IPv6.
        CONNECTIONS_PER_ADDRESS = 1,
        CONNECTIONS_PER_SECOND = 2,
        /// Requests whose answers have not left.
        REQUESTS = 3,
        /// Requests that JavaScript has not looked at.
        REQUESTS_WAITING = 4,
        /// Bytes of one connection that wait here, in both directions.
        BUFFERED_BYTES = 5,
        /// The same of all connections of the server.
        BUFFERED_BYTES_IN_ALL = 6,
        /// Bytes of a request's body.
        BODY_SIZE = 7,
        /// Bytes of a body that must come in a second, on an average of `grace`.
        BODY_BYTES_PER_SECOND = 8,
        /// Milliseconds from the first byte of a head to its end; of the first head, from the connection on.
        HEADERS_TIMEOUT = 9,
        /// Milliseconds from the end of a head to that of the body.
        BODY_TIMEOUT = 10,
    }
}

numbers! {
    /// What becomes of what is beyond a limit.
    LIMIT_ACTIONS {
        /// It is not accepted before there is room.
        WAIT = 0,
        /// Its connection is closed.
        CLOSE = 1,
        /// It is answered by the thread that reads, with a status that says why.
        ANSWER = 2,
    }
}

/// A limit that was met, with what becomes of what is beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// One of [`SERVER_LIMITS`].
    pub(super) limit: i32,
    /// One of [`LIMIT_ACTIONS`].
    pub(super) action: i32,
}
