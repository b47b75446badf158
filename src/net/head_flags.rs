//! What the first number of a REQUEST or RESPONSE record says of the head.

use crate::numbers::numbers;

numbers! {
    /// All of them.
    HEAD_FLAGS {
        /// Another message may follow: llhttp's `should_keep_alive`.
        KEEP_ALIVE = 1,
        /// DATA or END will follow; without it the message is complete, and no END comes.
        BODY = 2,
        /// The head is held until `upgrade(id, accept)`.
        UPGRADE = 4,
        /// An Expect field is present.
        HAS_EXPECT = 8,
        /// A Host field is present.
        HAS_HOST = 16,
        /// Content-Length or Transfer-Encoding is present.
        FRAMED = 32,
        /// 1xx other than 101: a final response follows (RFC 9110 §15.2).
        INFORMATIONAL = 64,
        /// The body ends with the connection (RFC 9112 §6.3).
        UNTIL_CLOSE = 128,
        /// The text has more fields than the field count says: those beyond `maxHeadersCount`.
        SURPLUS = 256,
        /// Something was let through that the RFCs forbid: `takeNoted` has it.
        NOTED = 512,
        /// Beyond a limit of the server, or a request for its health: `takeAnswer` has what JavaScript is to say in its turn.
        ANSWERED = 1024,
    }
}
