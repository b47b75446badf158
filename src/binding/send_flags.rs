//! Flags of `send`: which parts of a message its arguments are.

use crate::numbers::numbers;

/// Both bits of the framing: one of [`NO_BODY`], [`LENGTH`], [`CHUNKED`] and [`UNTIL_CLOSE`].
pub(crate) const FRAMING: i32 = 24;

numbers! {
    /// All of them.
    SEND_FLAGS {
        /// `head` is a rendered head.
        HEAD = 1,
        /// `body` is a part of the body.
        BODY = 2,
        /// The message ends.
        END = 4,
        /// Framing: there is no body.
        NO_BODY = 0,
        /// Framing: the head declares `length` bytes.
        LENGTH = 8,
        /// Framing: chunks (RFC 9112 §7.1).
        CHUNKED = 16,
        /// Framing: the body ends with the connection.
        UNTIL_CLOSE = 24,
        /// With END: when all is written the connection ends.
        LAST = 32,
        /// `head` is to be encoded as UTF-8, not as latin1.
        HEAD_UTF8 = 64,
        /// `body` is to be encoded as UTF-8, not as latin1.
        BODY_UTF8 = 128,
        /// `head` is a 1xx response's (RFC 9110 §15.2); the message's own is still to come.
        INFORMATIONAL = 256,
        /// Client, with HEAD: the method is HEAD.
        REQUEST_HEAD = 512,
        /// Client, with HEAD: the method is CONNECT.
        REQUEST_CONNECT = 1024,
        /// With END: `head` is the trailer lines.
        TRAILERS = 2048,
        /// What is said from here on can be undone with `discard`.
        CORK = 4096,
        /// JavaScript does not wait for the body to be taken.
        UNTOLD = 8192,
        /// What was said since CORK waits for the end of the tick: it counts as pending, although it may be taken by now.
        UNDER_CORK = 16384,
        /// Core would write now: it is written in the call, where the end of the turn would write it on this thread.
        AT_ONCE = 32768,
    }
}
