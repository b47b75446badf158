//! What JavaScript says on a connection in one call.

use bytes::Bytes;
use http_native_proto as proto;

/// The body argument of [`Message`].
pub(crate) enum Body<'a> {
    None,
    /// To be copied behind the head.
    Copied(&'a [u8]),
    /// Ours already.
    Owned(Bytes),
    /// Memory that is JavaScript's, and stays until it is written. `is_told`: JavaScript learns when it counts as taken.
    Borrowed {
        bytes: Bytes,
        is_told: bool,
    },
}

impl Body<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Copied(bytes) => bytes.len(),
            Self::Owned(bytes) | Self::Borrowed { bytes, .. } => bytes.len(),
        }
    }
}

/// A head as JavaScript rendered it, or trailer lines.
pub(crate) struct Block<'a> {
    pub(crate) bytes: &'a [u8],
    /// CRLFs that the renderer counted.
    pub(crate) lines: u32,
}

/// What a [`Message`] begins with.
pub(crate) enum Head<'a> {
    None,
    Informational(Block<'a>),
    Final(Block<'a>, proto::OutFraming),
}

/// A message, or a part of one, that JavaScript says in one call.
pub(crate) struct Message<'a> {
    pub(crate) head: Head<'a>,
    /// Client: the method is HEAD, or CONNECT, which decides how the answer is framed.
    pub(crate) request_head: bool,
    pub(crate) request_connect: bool,
    pub(crate) body: Body<'a>,
    /// The message ends here; the block is the trailers.
    pub(crate) end: Option<Block<'a>>,
    /// With `end`: the connection closes when all is written.
    pub(crate) last: bool,
    /// What is said from here on may be undone: see [`super::output::Output::cork`].
    pub(crate) cork: bool,
    /// What was said since such a message is pending in core until the end of the tick.
    pub(crate) under_cork: bool,
}
