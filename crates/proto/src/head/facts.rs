//! What the fields of a head say about its message: gathered while parsing, by both paths.

/// What is known of a message so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(super) flags: u16,
    /// Request: the method's number. Response: the status code.
    pub(crate) code: u16,
    pub(crate) version: (u8, u8),
    /// Valid with [`CONTENT_LENGTH`].
    pub(crate) content_length: u64,
}

/// `Connection: close`.
pub(crate) const CLOSE: u16 = 1;
/// `Connection: keep-alive`.
pub(crate) const KEEP_ALIVE: u16 = 1 << 1;
/// `Connection: upgrade`.
pub(crate) const CONNECTION_UPGRADE: u16 = 1 << 2;
/// An Upgrade field.
pub(crate) const UPGRADE: u16 = 1 << 3;
/// A Content-Length field.
pub(crate) const CONTENT_LENGTH: u16 = 1 << 4;
/// A Transfer-Encoding field.
pub(crate) const TRANSFER_ENCODING: u16 = 1 << 5;
/// The last transfer coding is chunked.
pub(crate) const CHUNKED: u16 = 1 << 6;
/// A Host field.
pub(crate) const HOST: u16 = 1 << 7;
/// An Expect field.
pub(crate) const EXPECT: u16 = 1 << 8;
/// The fields at hand are trailers.
pub(crate) const TRAILING: u16 = 1 << 9;
/// The request line has more spaces than it needs.
pub(crate) const EXTRA_SPACE: u16 = 1 << 10;
/// The request line has no version.
pub(crate) const NO_VERSION: u16 = 1 << 11;
/// The start line names another protocol than HTTP.
pub(crate) const OTHER_PROTOCOL: u16 = 1 << 12;

impl Facts {
    #[inline]
    pub(crate) fn has(&self, flags: u16) -> bool {
        self.flags & flags == flags
    }

    #[inline]
    pub(crate) fn has_any(&self, flags: u16) -> bool {
        self.flags & flags != 0
    }

    #[inline]
    pub(crate) fn set(&mut self, flags: u16) {
        self.flags |= flags;
    }

    #[inline]
    pub(crate) fn unset(&mut self, flags: u16) {
        self.flags &= !flags;
    }

    /// Notes a word of the Connection field, numbered as in [`crate::token::CONNECTION`].
    #[inline]
    pub(crate) fn set_connection(&mut self, word: u8) {
        self.set([CLOSE, KEEP_ALIVE, CONNECTION_UPGRADE][usize::from(word)]);
    }
}
