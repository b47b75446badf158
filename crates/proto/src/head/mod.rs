//! Start line and fields.
//!
//! There are two ways through a head, and they must not be told apart by what they give:
//!
//! - [`fast`]: a head that lies whole in the input and is as ordinary as nearly all of them are.
//!   httparse tokenises it, and a strict layer vouches that Node's grammar accepts it too.
//! - [`machine`]: everything else, from its first byte: one byte at a time, resumable at every
//!   byte, bounded while it grows. It is the reference, and the only one that names errors.

pub(crate) mod facts;
pub(crate) mod fast;
mod feed;
mod fields;
pub(crate) mod machine;
mod start_line;
