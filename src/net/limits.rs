//! How much of each thing there may be, a connection and in all.

/// Bytes of events, bodies and heads included, that may wait for the JS thread, a connection; reading and parsing stop
/// above. Eight reads: with four, the two threads of an upload mostly wait for each other.
// Small in tests, where it must fill.
pub(crate) const WINDOW: usize = if cfg!(test) { 512 } else { 512 * 1024 };

/// How much of that there may be while more is read, when JavaScript keeps much of what paused connections have read (`narrow` of
/// docs/BOUNDARY.md): one read, as with core. What was read is parsed, and read on before FIN goes out, up to [`WINDOW`].
pub(crate) const NARROW_WINDOW: usize = if cfg!(test) { 128 } else { 64 * 1024 };

/// Events that one call of [`Connection::receive`] gives at most, or a few more.
pub(crate) const EVENTS_A_CALL: usize = 512;

/// Bytes of events that may wait for the JS thread in all, besides one read of each I/O thread. No connection is read
/// from while there are more.
pub(crate) const WINDOW_IN_ALL: usize = 8 * 1024 * 1024;

/// Bytes of events that may wait for the JS thread in all when a socket is lent: the JS thread watches it no sooner than it has
/// heard of the loan, behind them.
pub(crate) const AHEAD_OF_LOAN: usize = 64 * 1024;

/// Reads of one connection before the others are read.
pub(super) const READS_PER_TURN: u32 = 16;

/// Requests of one connection that may be unanswered before parsing stops. Core has no such limit and lets
/// a peer that pipelines without reading say as much as it likes up to the socket's buffers.
// Small in tests, where it must be reached.
pub(crate) const READ_AHEAD: u32 = if cfg!(test) { 4 } else { 1024 };

/// What a connection may have beyond the kernel's buffer and yet count as taken, bytes: a writer goes on at once instead
/// of waiting for the I/O thread. The kernel's send buffer, which core fills directly, grows to megabytes.
pub(crate) const TAKEN_MAX: usize = 256 * 1024;

/// Bodies from this size on are a segment of their own instead of being copied behind the head. 16 KiB is about
/// where a copy starts to cost more than one more I/O vector.
pub(crate) const SEGMENT: usize = 16 * 1024;
