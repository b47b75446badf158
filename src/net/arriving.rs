//! Connections between the kernel and the I/O thread that is to have them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A connection that was accepted, and is not among those of an I/O thread yet.
pub(crate) struct Arriving(Arc<AtomicUsize>);

impl Arriving {
    pub(super) fn among(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
