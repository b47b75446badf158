//! The words of a record, the kinds of events and their flags: `docs/BOUNDARY.md`, which describes them.

use crate::numbers::numbers;

numbers! {
    /// The layout of records.
    RECORDS {
        /// Int32 words per record.
        STRIDE = 8,
        /// The word that is not 0 where a packet begins: 1, or `FULL`.
        BEGINS = 7,
        /// The packet was as long as a read can be: more may have been there to be read.
        FULL = 2,
        /// Records that a dispatch has room for.
        MAX_RECORDS = 512,
        /// Records that a call that feeds bytes has room for: its `EVENTS_A_CALL`, and those that come with the last.
        MAX_FED = 528,
    }
}

numbers! {
    /// The kinds of events: the first word of a record. 0 is none.
    EVENTS {
        ACCEPT = 1,
        REQUEST = 2,
        RESPONSE = 3,
        DATA = 4,
        END = 5,
        PARSE_ERROR = 6,
        EOF = 7,
        CLOSED = 8,
        DRAIN = 9,
        TIMEOUT = 10,
        RAW = 11,
        EXPIRED = 12,
        FIN = 13,
        CUT = 14,
        LIMITED = 15,
        DIALLED = 16,
    }
}

/// What is in the third word of DATA.
pub(super) mod data {
    use crate::numbers::numbers;

    numbers! {
        /// What a piece of a body is of its Buffer.
        DATA_PARTS {
            /// All of it.
            WHOLE = 0,
            /// Some of it; more of the same Buffer follows.
            PART = 1,
            /// The last of it.
            LAST_PART = 2,
        }
    }
}

/// Flags in the third word of END.
pub(super) mod end {
    use crate::numbers::numbers;

    numbers! {
        /// All of them.
        END_FLAGS {
            /// Trailers follow.
            TRAILERS = 1,
            /// The end of the connection was the end of the message.
            AT_EOF = 2,
            /// Something was let through that the RFCs forbid: `takeNoted` has it.
            NOTED = 4,
        }
    }
}
