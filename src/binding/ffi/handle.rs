//! Handles of libuv's event loop, and how their callbacks find their host.
//!
//! Node-API has no call for these; what is used of libuv is exported by Node and stable through libuv 1.x, which all
//! supported versions have.

use std::ffi::{c_int, c_void};
use std::panic::AssertUnwindSafe;

use napi::sys;

use super::host::Host;
use super::scope::{Failure, Outcome, Scope};

/// `UV_ASYNC` of `uv_handle_type`.
pub(super) const UV_ASYNC: c_int = 1;
/// `UV_CHECK` of `uv_handle_type`.
pub(super) const UV_CHECK: c_int = 2;
/// `UV_IDLE` of `uv_handle_type`.
pub(super) const UV_IDLE: c_int = 6;
/// `UV_POLL` of `uv_handle_type`.
pub(super) const UV_POLL: c_int = 8;
/// `UV_PREPARE` of `uv_handle_type`.
pub(super) const UV_PREPARE: c_int = 9;
/// `UV_TIMER` of `uv_handle_type`.
pub(super) const UV_TIMER: c_int = 13;
/// `UV_READABLE` of `uv_poll_event`.
pub(super) const UV_READABLE: c_int = 1;

pub(super) type PollCallback = unsafe extern "C" fn(*mut c_void, c_int, c_int);
pub(super) type HandleCallback = unsafe extern "C" fn(*mut c_void);

unsafe extern "C" {
    pub(super) fn uv_async_init(
        event_loop: *mut sys::uv_loop_s,
        handle: *mut c_void,
        callback: HandleCallback,
    ) -> c_int;
    pub(super) fn uv_async_send(handle: *mut c_void) -> c_int;
    pub(super) fn uv_handle_size(kind: c_int) -> usize;
    pub(super) fn uv_handle_set_data(handle: *mut c_void, data: *mut c_void);
    pub(super) fn uv_handle_get_data(handle: *const c_void) -> *mut c_void;
    pub(super) fn uv_poll_init_socket(
        event_loop: *mut sys::uv_loop_s,
        handle: *mut c_void,
        socket: c_int,
    ) -> c_int;
    pub(super) fn uv_poll_start(
        handle: *mut c_void,
        events: c_int,
        callback: PollCallback,
    ) -> c_int;
    pub(super) fn uv_backend_timeout(event_loop: *const sys::uv_loop_s) -> c_int;
    pub(super) fn uv_metrics_idle_time(event_loop: *mut sys::uv_loop_s) -> u64;
    pub(super) fn uv_idle_init(event_loop: *mut sys::uv_loop_s, handle: *mut c_void) -> c_int;
    pub(super) fn uv_idle_start(handle: *mut c_void, callback: HandleCallback) -> c_int;
    pub(super) fn uv_check_init(event_loop: *mut sys::uv_loop_s, handle: *mut c_void) -> c_int;
    pub(super) fn uv_check_start(handle: *mut c_void, callback: HandleCallback) -> c_int;
    pub(super) fn uv_check_stop(handle: *mut c_void) -> c_int;
    pub(super) fn uv_prepare_init(event_loop: *mut sys::uv_loop_s, handle: *mut c_void) -> c_int;
    pub(super) fn uv_prepare_start(handle: *mut c_void, callback: HandleCallback) -> c_int;
    pub(super) fn uv_timer_init(event_loop: *mut sys::uv_loop_s, handle: *mut c_void) -> c_int;
    pub(super) fn uv_timer_start(
        handle: *mut c_void,
        callback: HandleCallback,
        timeout: u64,
        repeat: u64,
    ) -> c_int;
    pub(super) fn uv_ref(handle: *mut c_void);
    pub(super) fn uv_unref(handle: *mut c_void);
    pub(super) fn uv_close(handle: *mut c_void, callback: HandleCallback);
}

pub(super) fn event_loop(scope: Scope<'_>) -> Outcome<*mut sys::uv_loop_s> {
    let mut event_loop = std::ptr::null_mut();
    // SAFETY: out pointer of a live environment.
    match unsafe { sys::napi_get_uv_event_loop(scope.env, &mut event_loop) } {
        sys::Status::napi_ok => Ok(event_loop),
        _ => Err(Failure::Refused),
    }
}

/// Memory for a handle, of the size libuv asks for and the alignment of u64, the strictest of its fields.
pub(super) fn allocate(kind: c_int) -> *mut c_void {
    // SAFETY: asks for a number.
    let words = unsafe { uv_handle_size(kind) }.div_ceil(size_of::<u64>());
    Box::into_raw(vec![0_u64; words].into_boxed_slice()).cast::<c_void>()
}

/// # Safety
/// The handle was allocated for this kind, and libuv does not know it, or no longer.
pub(super) unsafe fn free(handle: *mut c_void, kind: c_int) {
    // SAFETY: see above.
    unsafe {
        let words = uv_handle_size(kind).div_ceil(size_of::<u64>());
        drop(Box::from_raw(std::ptr::slice_from_raw_parts_mut(
            handle.cast::<u64>(),
            words,
        )));
    }
}

/// What a handle's callback calls.
#[derive(Clone, Copy)]
pub(super) struct Callee {
    pub(super) env: sys::napi_env,
    /// A [`Host`]; the callback knows which.
    pub(super) host: *const c_void,
    /// What it is called for, if there are several.
    pub(super) number: u32,
}

impl Callee {
    pub(super) fn of<H: Host>(scope: Scope<'_>, host: &H) -> Self {
        Self {
            env: scope.env,
            host: std::ptr::from_ref(host).cast(),
            number: 0,
        }
    }
}

/// Opens a handle: `init` gives it to libuv, and its status.
///
/// # Safety
/// The handle is of this kind. It is closed with [`close`], before its host goes.
pub(super) unsafe fn open<H: Host, const KIND: c_int>(
    scope: Scope<'_>,
    host: &H,
    init: impl FnOnce(*mut sys::uv_loop_s, *mut c_void) -> c_int,
) -> Outcome<*mut c_void> {
    let event_loop = event_loop(scope)?;
    let handle = allocate(KIND);
    if init(event_loop, handle) != 0 {
        // SAFETY: libuv has not seen the handle: nothing to close.
        unsafe { free(handle, KIND) };
        return Err(Failure::Refused);
    }
    let callee = Box::new(Callee::of(scope, host));
    // SAFETY: libuv knows the handle now.
    unsafe { uv_handle_set_data(handle, Box::into_raw(callee).cast()) };
    Ok(handle)
}

/// Closes a handle: its callback is not called any more. Its memory is freed when libuv is done with it.
///
/// # Safety
/// [`open`] gave it, for this kind, and this is called once.
pub(super) unsafe fn close<const KIND: c_int>(handle: *mut c_void) {
    // SAFETY: see above.
    unsafe { uv_close(handle, closed::<KIND>) };
}

unsafe extern "C" fn closed<const KIND: c_int>(handle: *mut c_void) {
    // SAFETY: both were allocated by `open`, and libuv is done with them.
    unsafe {
        drop(Box::from_raw(uv_handle_get_data(handle).cast::<Callee>()));
        free(handle, KIND);
    }
}

/// # Safety
/// [`open`] gave the handle, which calls back.
pub(super) unsafe fn callee(handle: *mut c_void) -> Callee {
    // SAFETY: its data is freed after the last callback.
    unsafe { *uv_handle_get_data(handle).cast::<Callee>() }
}

/// Calls a host where the event loop calls back. False if that panicked: nothing is half done, but a panic has nowhere to go
/// from here.
///
/// # Safety
/// `env` and the host, an `H`, are alive, on this thread.
pub(super) unsafe fn call<H: Host>(
    Callee { env, host, .. }: Callee,
    body: impl FnOnce(&H, Scope<'_>) -> Outcome<()>,
) -> bool {
    // SAFETY: see above.
    let host = unsafe { &*host.cast::<H>() };
    std::panic::catch_unwind(AssertUnwindSafe(|| {
        // A refusal means that the environment is going away.
        // SAFETY: the event loop of a live environment calls this.
        let _ = unsafe { Scope::enter(env, true, |scope| scope.nested(|scope| body(host, scope))) };
    }))
    .is_ok()
}

/// True if anything waits for the end of this turn of the event loop: immediates, closed handles, timers
/// (`uv_backend_timeout`).
pub(in crate::binding) fn waits_for_turn(scope: Scope<'_>) -> bool {
    // SAFETY: asks the loop of a live environment for a number; for those it does not wait for events.
    event_loop(scope).is_ok_and(|event_loop| unsafe { uv_backend_timeout(event_loop) } == 0)
}

/// How long the event loop has waited for events in all, ns; 0 if it does not measure that (`uv_metrics_idle_time`).
pub(in crate::binding) fn idle_time(scope: Scope<'_>) -> u64 {
    // SAFETY: asks the loop of a live environment for a number, on its thread.
    event_loop(scope).map_or(0, |event_loop| unsafe { uv_metrics_idle_time(event_loop) })
}

/// [`idle_time`] for other threads, which must have ended before the environment is torn down: its I/O threads are joined there.
pub(in crate::binding) fn shared_idle_time(scope: Scope<'_>) -> Box<dyn Fn() -> u64 + Send + Sync> {
    /// A loop that may be asked from any thread.
    struct Loop(*mut sys::uv_loop_s);
    // SAFETY: it is only given to `uv_metrics_idle_time`, which libuv documents as safe to call from any thread.
    unsafe impl Send for Loop {}
    // SAFETY: as above.
    unsafe impl Sync for Loop {}
    impl Loop {
        fn idle_time(&self) -> u64 {
            // SAFETY: the loop outlives the threads that ask.
            unsafe { uv_metrics_idle_time(self.0) }
        }
    }
    match event_loop(scope) {
        Ok(event_loop) => {
            let event_loop = Loop(event_loop);
            Box::new(move || event_loop.idle_time())
        }
        Err(_) => Box::new(|| 0),
    }
}
