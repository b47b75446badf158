//! Memory that JavaScript and Rust share.

use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use napi::sys;

use super::scope::{Failure, Outcome, Reference, Scope, Value, check};

/// Bytes, and buffers, that may wait to be let go of before the JS thread is woken for it.
const WAITING_BYTES: usize = 1024 * 1024;
const WAITING: usize = 16;

/// What wakes the JS thread, on whatever thread.
pub(in crate::binding) trait Wakes: Send + Sync + 'static {
    fn give(&self);
}

/// References to JS memory whose bytes were written; deleted on the JS thread.
pub(in crate::binding) struct Releases<W> {
    waiting: Mutex<(Vec<usize>, usize)>,
    wake: Arc<W>,
}

impl<W: Wakes> Releases<W> {
    pub(in crate::binding) fn new(wake: Arc<W>) -> Self {
        Self {
            waiting: Mutex::default(),
            wake,
        }
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<usize>, usize)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, reference: sys::napi_ref, len: usize) {
        let (waiting, bytes) = &mut *self.lock();
        waiting.push(reference as usize);
        let before = *bytes;
        *bytes += len;
        // Small change waits for the next event: a busy server has one soon, and an idle one has little to free.
        let is_much = before < WAITING_BYTES && *bytes >= WAITING_BYTES;
        if is_much || waiting.len() == WAITING {
            self.wake.give();
        }
    }

    /// Lets go of what was written if it is much: JavaScript may answer many before it has events again.
    fn release_much(&self, scope: Scope<'_>) {
        let is_much = self.lock().1 >= WAITING_BYTES;
        if is_much {
            self.release(scope);
        }
    }

    /// Lets go of everything that was written.
    pub(in crate::binding) fn release(&self, scope: Scope<'_>) {
        let (waiting, _) = std::mem::take(&mut *self.lock());
        for reference in waiting {
            // SAFETY: each reference was created in this environment and is deleted once, here.
            unsafe { sys::napi_delete_reference(scope.env, reference as sys::napi_ref) };
        }
    }
}

/// Memory of a Uint8Array that JavaScript still owns. Only the kernel reads it, in `writev`: should JavaScript
/// shrink or detach the buffer meanwhile, the write fails or sends other bytes, as it does in core.
struct Kept<W: Wakes> {
    data: *const u8,
    len: usize,
    reference: sys::napi_ref,
    releases: Arc<Releases<W>>,
}

// SAFETY: the memory may be read from any thread; the reference is only moved, and deleted on the JS thread.
unsafe impl<W: Wakes> Send for Kept<W> {}

impl<W: Wakes> AsRef<[u8]> for Kept<W> {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: by the reference the array, and so its memory, lives until `releases` deletes it.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }
}

impl<W: Wakes> Drop for Kept<W> {
    fn drop(&mut self) {
        self.releases.add(self.reference, self.len);
    }
}

impl<'s> Scope<'s> {
    /// The same bytes, which live until this goes, on whatever thread.
    pub(in crate::binding) fn kept<W: Wakes>(
        self,
        value: Value<'s>,
        releases: &Arc<Releases<W>>,
    ) -> Outcome<Bytes> {
        releases.release_much(self);
        let bytes = self.bytes(value)?;
        let mut reference = ptr::null_mut();
        // SAFETY: as in `i32`.
        check(unsafe { sys::napi_create_reference(self.env, value.0, 1, &mut reference) })?;
        Ok(Bytes::from_owner(Kept {
            data: bytes.as_ptr(),
            len: bytes.len(),
            reference,
            releases: Arc::clone(releases),
        }))
    }
}

/// The reused Int32Array that records are written to.
pub(in crate::binding) struct Records {
    data: *mut i32,
    len: usize,
    _array: Reference,
}

impl Records {
    pub(in crate::binding) fn new(scope: Scope<'_>, value: Value<'_>) -> Outcome<Self> {
        let (mut kind, mut len, mut data) = (0, 0, ptr::null_mut());
        // SAFETY: as in `Scope::bytes`.
        check(unsafe {
            sys::napi_get_typedarray_info(
                scope.env,
                value.0,
                &mut kind,
                &mut len,
                &mut data,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        })?;
        if kind != sys::TypedarrayType::int32_array || data.is_null() {
            return Err(Failure::Throw(
                "ERR_INVALID_ARG_TYPE",
                "records must be an Int32Array",
            ));
        }
        Ok(Self {
            data: data.cast::<i32>(),
            len,
            _array: scope.reference(value)?,
        })
    }

    /// The numbers, writable while no JavaScript runs.
    pub(in crate::binding) fn numbers(&mut self) -> &mut [i32] {
        // SAFETY: by `_array` the memory lives; lib/binding neither transfers nor resizes it, and the JS
        // thread is here, not in JavaScript.
        unsafe { std::slice::from_raw_parts_mut(self.data, self.len) }
    }
}
