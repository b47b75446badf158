//! libuv's readiness watch on a descriptor, that of the sockets lent to the JS thread, and two phases of its loop: that of
//! closed handles and that of pending requests. The wake of the loop is in `signal`.
//!
//! Node-API has no call for these; what is used of libuv is exported by Node and stable through libuv 1.x, which all
//! supported versions have.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use napi::sys;

use super::host::Host;
use super::scope::{Failure, Scope};

/// `UV_ASYNC` of `uv_handle_type`.
pub(super) const UV_ASYNC: c_int = 1;
/// `UV_CHECK` of `uv_handle_type`.
const UV_CHECK: c_int = 2;
/// `UV_IDLE` of `uv_handle_type`.
const UV_IDLE: c_int = 6;
/// `UV_POLL` of `uv_handle_type`.
const UV_POLL: c_int = 8;
/// `UV_PREPARE` of `uv_handle_type`.
const UV_PREPARE: c_int = 9;
/// `UV_READABLE` of `uv_poll_event`.
const UV_READABLE: c_int = 1;

type Callback = unsafe extern "C" fn(*mut c_void, c_int, c_int);
type HandleCallback = unsafe extern "C" fn(*mut c_void);

unsafe extern "C" {
    pub(super) fn uv_async_init(
        event_loop: *mut sys::uv_loop_s,
        handle: *mut c_void,
        callback: HandleCallback,
    ) -> c_int;
    pub(super) fn uv_async_send(handle: *mut c_void) -> c_int;
    fn uv_handle_size(kind: c_int) -> usize;
    pub(super) fn uv_handle_set_data(handle: *mut c_void, data: *mut c_void);
    pub(super) fn uv_handle_get_data(handle: *const c_void) -> *mut c_void;
    fn uv_poll_init_socket(
        event_loop: *mut sys::uv_loop_s,
        handle: *mut c_void,
        socket: c_int,
    ) -> c_int;
    fn uv_poll_start(handle: *mut c_void, events: c_int, callback: Callback) -> c_int;
    fn uv_backend_timeout(event_loop: *const sys::uv_loop_s) -> c_int;
    fn uv_metrics_idle_time(event_loop: *mut sys::uv_loop_s) -> u64;
    fn uv_idle_init(event_loop: *mut sys::uv_loop_s, handle: *mut c_void) -> c_int;
    fn uv_idle_start(handle: *mut c_void, callback: HandleCallback) -> c_int;
    fn uv_check_init(event_loop: *mut sys::uv_loop_s, handle: *mut c_void) -> c_int;
    fn uv_check_start(handle: *mut c_void, callback: HandleCallback) -> c_int;
    fn uv_prepare_init(event_loop: *mut sys::uv_loop_s, handle: *mut c_void) -> c_int;
    fn uv_prepare_start(handle: *mut c_void, callback: HandleCallback) -> c_int;
    pub(super) fn uv_ref(handle: *mut c_void);
    pub(super) fn uv_unref(handle: *mut c_void);
    pub(super) fn uv_close(handle: *mut c_void, callback: HandleCallback);
}

pub(super) fn event_loop(scope: Scope<'_>) -> Result<*mut sys::uv_loop_s, Failure> {
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

/// A running watch. It ends with [`Watch::stop`]; it does not keep the process alive.
pub(in crate::binding) struct Watch(*mut c_void);

/// What the callback needs.
struct Watched {
    /// A [`Host`]; the callback knows which.
    host: *const c_void,
    env: sys::napi_env,
}

impl Watch {
    /// Calls [`Host::readable`] in each turn of the event loop while `fd` is readable.
    pub(in crate::binding) fn start<H: Host>(
        scope: Scope<'_>,
        host: &H,
        fd: c_int,
    ) -> Result<Self, Failure> {
        let event_loop = event_loop(scope)?;
        let watched = Box::into_raw(Box::new(Watched {
            host: std::ptr::from_ref(host).cast::<c_void>(),
            env: scope.env,
        }));
        // SAFETY: the handle is freed by `closed`, which libuv calls when it is done with it. `fd` is open: the caller
        // closes it after `stop`.
        unsafe {
            let handle = allocate(UV_POLL);
            if uv_poll_init_socket(event_loop, handle, fd) != 0 {
                // libuv has not seen the handle: nothing to close.
                free(handle, UV_POLL);
                drop(Box::from_raw(watched));
                return Err(Failure::Refused);
            }
            uv_handle_set_data(handle, watched.cast::<c_void>());
            uv_unref(handle);
            let watch = Self(handle);
            if uv_poll_start(handle, UV_READABLE, readable::<H>) != 0 {
                watch.stop();
                return Err(Failure::Refused);
            }
            Ok(watch)
        }
    }

    /// No more calls; the descriptor is libuv's no longer when this returns.
    pub(in crate::binding) fn stop(self) {
        // SAFETY: started once, stopped once: `self` is gone.
        unsafe { uv_close(self.0, closed) };
    }
}

unsafe extern "C" fn readable<H: Host>(handle: *mut c_void, status: c_int, _events: c_int) {
    // SAFETY: `start` set the data, of this host; it is freed after the last call.
    let (host, env) = unsafe {
        let watched = &*uv_handle_get_data(handle).cast::<Watched>();
        (&*watched.host.cast::<H>(), watched.env)
    };
    // A panic has nowhere to go from here: the connections go back to their I/O threads. So they do when the descriptor has
    // an error, which libuv tells once.
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the event loop of a live environment calls this.
        unsafe {
            Scope::enter(env, true, |scope| {
                scope.nested(|scope| {
                    host.readable(scope);
                    Ok(())
                })
            })
        }
    }));
    if outcome.is_err() || status != 0 {
        host.unwatch();
    }
}

unsafe extern "C" fn closed(handle: *mut c_void) {
    // SAFETY: both were boxed by `start`, and libuv is done with them.
    unsafe {
        drop(Box::from_raw(uv_handle_get_data(handle).cast::<Watched>()));
        free(handle, UV_POLL);
    }
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

/// A running watch on the turns of the event loop. It ends with [`LoopWatch::stop`]; it does not keep the process alive.
pub(in crate::binding) struct LoopWatch(*mut c_void);

/// What the callback needs.
struct LoopWatched {
    /// A [`Host`]; the callback knows which.
    host: *const c_void,
    event_loop: *mut sys::uv_loop_s,
}

impl LoopWatch {
    /// Calls [`Host::end_turn`] each time that the event loop is about to wait for events.
    pub(in crate::binding) fn start<H: Host>(scope: Scope<'_>, host: &H) -> Result<Self, Failure> {
        let event_loop = event_loop(scope)?;
        let watched = Box::into_raw(Box::new(LoopWatched {
            host: std::ptr::from_ref(host).cast::<c_void>(),
            event_loop,
        }));
        // SAFETY: the handle is freed by `loop_closed`, which libuv calls when it is done with it. Neither call fails.
        unsafe {
            let handle = allocate(UV_PREPARE);
            uv_prepare_init(event_loop, handle);
            uv_handle_set_data(handle, watched.cast::<c_void>());
            uv_prepare_start(handle, turn_ended::<H>);
            uv_unref(handle);
            Ok(Self(handle))
        }
    }

    /// No more calls.
    pub(in crate::binding) fn stop(self) {
        // SAFETY: started once, stopped once: `self` is gone.
        unsafe { uv_close(self.0, loop_closed) };
    }
}

unsafe extern "C" fn turn_ended<H: Host>(handle: *mut c_void) {
    // SAFETY: `start` set the data, of this host; it is freed after the last call. The loop is the one that calls.
    let (host, idle) = unsafe {
        let watched = &*uv_handle_get_data(handle).cast::<LoopWatched>();
        (
            &*watched.host.cast::<H>(),
            uv_metrics_idle_time(watched.event_loop),
        )
    };
    // A panic has nowhere to go from here, and nothing is half done.
    let _ = std::panic::catch_unwind(AssertUnwindSafe(|| host.end_turn(idle)));
}

unsafe extern "C" fn loop_closed(handle: *mut c_void) {
    // SAFETY: both were boxed by `start`, and libuv is done with them.
    unsafe {
        drop(Box::from_raw(
            uv_handle_get_data(handle).cast::<LoopWatched>(),
        ));
        free(handle, UV_PREPARE);
    }
}

/// A host's place in libuv's phase for closed handles. It may come when the host is gone.
#[derive(Default)]
pub(in crate::binding) struct ClosePhase(Cell<Option<Asked>>);

#[derive(Clone, Copy)]
struct Asked {
    env: sys::napi_env,
    /// A [`Host`]; the callback knows which.
    host: *const c_void,
    handle: *mut c_void,
}

impl ClosePhase {
    /// Has [`Host::close_phase`] called where libuv tells of the handles that were closed in this turn of the event loop;
    /// once, however often this is asked for before.
    pub(in crate::binding) fn ask<H: Host>(
        self: &Rc<Self>,
        scope: Scope<'_>,
        host: &H,
    ) -> Result<(), Failure> {
        if self.is_asked() {
            return Ok(());
        }
        let event_loop = event_loop(scope)?;
        // SAFETY: a handle that was never started is closed; `reached` frees it and takes its data.
        let handle = unsafe {
            let handle = allocate(UV_IDLE);
            // Never fails.
            uv_idle_init(event_loop, handle);
            uv_handle_set_data(handle, Rc::into_raw(Rc::clone(self)).cast_mut().cast());
            uv_close(handle, reached::<H>);
            handle
        };
        self.0.set(Some(Asked {
            env: scope.env,
            host: std::ptr::from_ref(host).cast(),
            handle,
        }));
        Ok(())
    }

    /// True from [`Self::ask`] until the phase.
    pub(in crate::binding) fn is_asked(&self) -> bool {
        self.0.get().is_some()
    }

    /// Has nothing called for what was asked so far. True if anything was.
    pub(in crate::binding) fn forget(&self) -> bool {
        self.0.take().is_some()
    }
}

unsafe extern "C" fn reached<H: Host>(handle: *mut c_void) {
    // SAFETY: `ask` set the data and allocated the handle, with which libuv is done.
    let phase = unsafe {
        let phase = Rc::from_raw(uv_handle_get_data(handle).cast::<ClosePhase>());
        free(handle, UV_IDLE);
        phase
    };
    // Another handle has been asked for since if this one was forgotten.
    if let Some(asked) = phase.0.get().filter(|asked| asked.handle == handle) {
        phase.forget();
        // SAFETY: `ask` was given this host, and `forget` is called before it goes.
        unsafe { call(asked.env, asked.host, H::close_phase) };
    }
}

/// Calls a host where the event loop calls back.
///
/// # Safety
/// `env` and the host, an `H`, are alive, on this thread.
unsafe fn call<H: Host>(
    env: sys::napi_env,
    host: *const c_void,
    phase: fn(&H, Scope<'_>) -> Result<(), Failure>,
) {
    // SAFETY: see above.
    let host = unsafe { &*host.cast::<H>() };
    // A panic has nowhere to go from here, and nothing is half done.
    let _ = std::panic::catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: the event loop of a live environment calls this.
        unsafe { Scope::enter(env, true, |scope| scope.nested(|scope| phase(host, scope))) }
    }));
}

/// A host's place where libuv finishes requests that were done at once: behind the phase that asks for it, and before the
/// loop waits for events. libuv has no call for that. An idle handle stands for it behind timers, a check handle behind
/// events (those of an addon run before the immediates), and a closed handle behind immediates; the first that comes counts.
#[derive(Default)]
pub(in crate::binding) struct PendingPhase(Cell<Option<Pending>>);

#[derive(Clone, Copy)]
struct Pending {
    env: sys::napi_env,
    /// A [`Host`]; the callbacks know which.
    host: *const c_void,
    idle: *mut c_void,
    check: *mut c_void,
}

impl PendingPhase {
    /// Has [`Host::pending_phase`] called there; once, however often this is asked for before.
    pub(in crate::binding) fn ask<H: Host>(
        self: &Rc<Self>,
        scope: Scope<'_>,
        host: &H,
    ) -> Result<(), Failure> {
        if self.0.get().is_some() {
            return Ok(());
        }
        let event_loop = event_loop(scope)?;
        // SAFETY: each handle has a reference to `self`, which the callback of its `uv_close` takes, and frees the handle.
        // None of these calls fails.
        let (idle, check) = unsafe {
            let (idle, check, closing) = (allocate(UV_IDLE), allocate(UV_CHECK), allocate(UV_IDLE));
            uv_idle_init(event_loop, idle);
            uv_check_init(event_loop, check);
            uv_idle_init(event_loop, closing);
            for handle in [idle, check, closing] {
                uv_handle_set_data(handle, Rc::into_raw(Rc::clone(self)).cast_mut().cast());
            }
            uv_idle_start(idle, pending::<H>);
            uv_check_start(check, pending::<H>);
            uv_close(closing, pending_closed::<H>);
            (idle, check)
        };
        self.0.set(Some(Pending {
            env: scope.env,
            host: std::ptr::from_ref(host).cast(),
            idle,
            check,
        }));
        Ok(())
    }

    /// Ends the wait. Nothing is called any more.
    pub(in crate::binding) fn forget(&self) -> Option<(sys::napi_env, *const c_void)> {
        let asked = self.0.take()?;
        // SAFETY: started by `ask`, closed once: `self` has them no longer.
        unsafe {
            uv_close(asked.idle, freed::<UV_IDLE>);
            uv_close(asked.check, freed::<UV_CHECK>);
        }
        Some((asked.env, asked.host))
    }

    fn reach<H: Host>(&self, phase: fn(&H, Scope<'_>) -> Result<(), Failure>) {
        if let Some((env, host)) = self.forget() {
            // SAFETY: `ask` was given this host, and `forget` is called before it goes.
            unsafe { call(env, host, phase) };
        }
    }
}

unsafe extern "C" fn pending<H: Host>(handle: *mut c_void) {
    // SAFETY: `ask` set the data, whose reference stays with the handle; this one keeps it while it is reached.
    let phase = unsafe {
        let phase = uv_handle_get_data(handle).cast::<PendingPhase>();
        Rc::increment_strong_count(phase);
        Rc::from_raw(phase)
    };
    phase.reach(H::pending_phase);
}

unsafe extern "C" fn pending_closed<H: Host>(handle: *mut c_void) {
    // SAFETY: libuv is done with the handle, whose data is read first.
    let phase = unsafe {
        let phase = Rc::from_raw(uv_handle_get_data(handle).cast::<PendingPhase>());
        free(handle, UV_IDLE);
        phase
    };
    phase.reach(H::next_turn);
}

unsafe extern "C" fn freed<const KIND: c_int>(handle: *mut c_void) {
    // SAFETY: as `pending_closed`.
    unsafe {
        drop(Rc::from_raw(
            uv_handle_get_data(handle).cast::<PendingPhase>(),
        ));
        free(handle, KIND);
    }
}
