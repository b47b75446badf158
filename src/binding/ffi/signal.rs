//! The wake of the JS thread: an async handle of libuv.
//!
//! Node-API's thread-safe function is not used for it: it calls again at once, up to a thousand times, when it was called
//! meanwhile. Under a flood of one peer's, timers, signals and the answers of others would wait for seconds.

use std::ffi::c_void;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use napi::Env;

use super::handle::{
    UV_ASYNC, call, callee, close, open, uv_async_init, uv_async_send, uv_ref, uv_unref,
};
use super::host::Host;
use super::scope::{Outcome, Scope};

/// A wake for the JS thread that any thread may give. Without effect before it is opened and behind [`Signal::release`].
#[derive(Clone, Default)]
pub(in crate::binding) struct Signal(Arc<AtomicPtr<c_void>>);

impl Signal {
    /// Makes the signal call [`Host::drain`] on the JS thread, in the next turn of its event loop; once, however often it is
    /// given before. It does not keep the process alive.
    pub(in crate::binding) fn open<H: Host>(&self, env: &Env, host: &Rc<H>) -> Outcome<()> {
        // SAFETY: the handle is new, and of this kind.
        let handle = unsafe {
            open::<H, UV_ASYNC>(Scope::of(env), host, |event_loop, handle| {
                uv_async_init(event_loop, handle, drain::<H>)
            })?
        };
        // SAFETY: it was opened.
        unsafe { uv_unref(handle) };
        self.0.store(handle, Ordering::Release);
        Ok(())
    }

    pub(in crate::binding) fn give(&self) {
        let handle = self.0.load(Ordering::Acquire);
        if !handle.is_null() {
            // SAFETY: not closed while I/O threads run; what the JS thread gives later meets no handle.
            unsafe { uv_async_send(handle) };
        }
    }

    /// Whether the process is to stay alive for events. JS thread only.
    pub(in crate::binding) fn hold(&self, _: Scope<'_>, hold: bool) {
        let handle = self.0.load(Ordering::Acquire);
        if !handle.is_null() {
            // SAFETY: on the JS thread, by having a scope.
            unsafe {
                if hold {
                    uv_ref(handle)
                } else {
                    uv_unref(handle)
                }
            }
        }
    }

    /// Closes the handle, after the I/O threads ended. Signals that are given later have no effect.
    pub(in crate::binding) fn release(&self) {
        let handle = self.0.swap(ptr::null_mut(), Ordering::AcqRel);
        if !handle.is_null() {
            // SAFETY: opened once, closed once: nothing has the handle any more.
            unsafe { close::<UV_ASYNC>(handle) };
        }
    }
}

unsafe extern "C" fn drain<H: Host>(handle: *mut c_void) {
    // SAFETY: `open` was given this host, which closes the handle before it goes. The event loop of a live environment calls.
    unsafe {
        let callee = callee(handle);
        let is_sound = call::<H>(callee, |host, scope| {
            host.drain(scope);
            Ok(())
        });
        if !is_sound {
            // What waits is not lost.
            call::<H>(callee, |host, _| {
                host.drain_again();
                Ok(())
            });
        }
    }
}
