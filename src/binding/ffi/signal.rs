//! The wake of the JS thread.

use std::ffi::{CStr, c_void};
use std::panic::AssertUnwindSafe;
use std::ptr;
use std::rc::Rc;

use napi::{Env, sys};

use super::export::PANIC;
use super::host::Host;
use super::scope::{Outcome, Scope, check};

/// A wake for the JS thread that any thread may give.
#[derive(Clone, Copy)]
pub(in crate::binding) struct Signal(sys::napi_threadsafe_function);

// SAFETY: thread-safe functions are made to be called from any thread; the I/O threads end before it is released.
unsafe impl Send for Signal {}
// SAFETY: see above.
unsafe impl Sync for Signal {}

impl Signal {
    /// A signal that makes the JS thread call [`Host::drain`]. It does not keep the process alive.
    pub(in crate::binding) fn new<H: Host>(env: &Env, host: &Rc<H>) -> Outcome<Self> {
        const NAME: &CStr = c"http-native";
        let env = env.raw();
        let (mut name, mut function) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: strings and out pointers outlive the calls; `host` lives as long as its environment,
        // and `drain` is not called without one.
        unsafe {
            check(sys::napi_create_string_utf8(
                env,
                NAME.as_ptr(),
                NAME.count_bytes() as isize,
                &mut name,
            ))?;
            check(sys::napi_create_threadsafe_function(
                env,
                ptr::null_mut(),
                ptr::null_mut(),
                name,
                0,
                1,
                ptr::null_mut(),
                None,
                Rc::as_ptr(host).cast_mut().cast::<c_void>(),
                Some(drain::<H>),
                &mut function,
            ))?;
            check(sys::napi_unref_threadsafe_function(env, function))?;
        }
        Ok(Self(function))
    }

    pub(in crate::binding) fn give(self) {
        // SAFETY: not released while I/O threads run. A refusal means that the environment is closing.
        unsafe {
            sys::napi_call_threadsafe_function(
                self.0,
                ptr::null_mut(),
                sys::ThreadsafeFunctionCallMode::nonblocking,
            )
        };
    }

    /// Whether the process is to stay alive for events. JS thread only.
    pub(in crate::binding) fn hold(self, scope: Scope<'_>, hold: bool) {
        // SAFETY: on the JS thread, by having a scope.
        unsafe {
            if hold {
                sys::napi_ref_threadsafe_function(scope.env, self.0);
            } else {
                sys::napi_unref_threadsafe_function(scope.env, self.0);
            }
        }
    }

    /// No more signals will be given.
    pub(in crate::binding) fn release(self) {
        // SAFETY: called once, after the I/O threads ended.
        unsafe {
            sys::napi_release_threadsafe_function(
                self.0,
                sys::ThreadsafeFunctionReleaseMode::abort,
            );
        }
    }
}

unsafe extern "C" fn drain<H: Host>(
    env: sys::napi_env,
    _: sys::napi_value,
    host: *mut c_void,
    _: *mut c_void,
) {
    // No env: the environment is being torn down and JavaScript can't be called.
    if env.is_null() {
        return;
    }
    // SAFETY: `Signal::new` was given a pointer that is valid while its environment is.
    let host = unsafe { &*host.cast::<H>() };
    // SAFETY: Node calls this, and has an environment.
    unsafe {
        Scope::enter(env, false, |scope| {
            if std::panic::catch_unwind(AssertUnwindSafe(|| host.drain(scope))).is_err() {
                scope.throw(&PANIC);
            }
        });
    }
}
