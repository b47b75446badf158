//! The wake of the JS thread: an async handle of libuv.
//!
//! Node-API's thread-safe function is not used for it: it calls again at once, up to a thousand times, when it was called
//! meanwhile. Under a flood of one peer's, timers, signals and the answers of others would wait for seconds.

use std::ffi::c_void;
use std::panic::AssertUnwindSafe;
use std::ptr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use napi::{Env, sys};

use super::export::PANIC;
use super::host::Host;
use super::scope::{Failure, Outcome, Scope};
use super::uv::{
    UV_ASYNC, allocate, event_loop, free, uv_async_init, uv_async_send, uv_close,
    uv_handle_get_data, uv_handle_set_data, uv_ref, uv_unref,
};

/// A wake for the JS thread that any thread may give. Without effect before it is opened and behind [`Signal::release`].
#[derive(Clone, Default)]
pub(in crate::binding) struct Signal(Arc<AtomicPtr<c_void>>);

/// What the callback needs.
struct Woken {
    /// A [`Host`]; the callback knows which.
    host: *const c_void,
    env: sys::napi_env,
}

impl Signal {
    /// Makes the signal call [`Host::drain`] on the JS thread, in the next turn of its event loop; once, however often it is
    /// given before. It does not keep the process alive.
    pub(in crate::binding) fn open<H: Host>(&self, env: &Env, host: &Rc<H>) -> Outcome<()> {
        let event_loop = event_loop(Scope::of(env))?;
        let woken = Box::into_raw(Box::new(Woken {
            host: Rc::as_ptr(host).cast::<c_void>(),
            env: env.raw(),
        }));
        // SAFETY: the handle is freed by `closed`, which libuv calls when it is done with it.
        unsafe {
            let handle = allocate(UV_ASYNC);
            if uv_async_init(event_loop, handle, drain::<H>) != 0 {
                // libuv has not seen the handle: nothing to close.
                free(handle, UV_ASYNC);
                drop(Box::from_raw(woken));
                return Err(Failure::Refused);
            }
            uv_handle_set_data(handle, woken.cast::<c_void>());
            uv_unref(handle);
            self.0.store(handle, Ordering::Release);
        }
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
            unsafe { uv_close(handle, closed) };
        }
    }
}

unsafe extern "C" fn drain<H: Host>(handle: *mut c_void) {
    // SAFETY: `open` set the data, of this host, which closes the handle before it goes.
    let (host, env) = unsafe {
        let woken = &*uv_handle_get_data(handle).cast::<Woken>();
        (&*woken.host.cast::<H>(), woken.env)
    };
    // SAFETY: the event loop of a live environment calls this.
    unsafe {
        Scope::enter(env, true, |scope| {
            let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
                scope.nested(|scope| {
                    host.drain(scope);
                    Ok(())
                })
            }));
            if outcome.is_err() {
                scope.throw(&PANIC);
                // A refusal means that the environment is going away.
                let _ = scope.report_pending();
                // A refusal means that the environment is going away.
                let _ = scope.report_pending();
            }
        });
    }
}

unsafe extern "C" fn closed(handle: *mut c_void) {
    // SAFETY: both were allocated by `open`, and libuv is done with them.
    unsafe {
        drop(Box::from_raw(uv_handle_get_data(handle).cast::<Woken>()));
        free(handle, UV_ASYNC);
    }
}
