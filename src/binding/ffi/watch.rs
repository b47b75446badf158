//! libuv's watches: those on the readiness of descriptors, the set of the sockets lent to the JS thread and listening sockets, that
//! on the end of the events of a turn of the loop, that on its turns, and that on the time.

use std::ffi::{c_int, c_void};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use super::handle::{
    Callee, PollCallback, UV_CHECK, UV_POLL, UV_PREPARE, UV_READABLE, UV_TIMER, call, callee,
    close, idle_time, open, uv_check_init, uv_check_start, uv_check_stop, uv_handle_get_data,
    uv_poll_init_socket, uv_poll_start, uv_prepare_init, uv_prepare_start, uv_timer_init,
    uv_timer_start, uv_unref,
};
use super::host::Host;
use super::scope::{Failure, Outcome, Scope};

/// A running watch on a descriptor. It ends with [`Watch::stop`]; it does not keep the process alive.
pub(in crate::binding) struct Watch(*mut c_void);

impl Watch {
    /// Calls [`Host::readable`] in each turn of the event loop while `fd` is readable.
    pub(in crate::binding) fn start<H: Host>(
        scope: Scope<'_>,
        host: &H,
        fd: c_int,
    ) -> Outcome<Self> {
        Self::begin(scope, host, fd, 0, readable::<H>)
    }

    /// Calls [`Host::connects`] with a number in each turn of the event loop while connections wait at `fd`, which listens.
    pub(in crate::binding) fn listen<H: Host>(
        scope: Scope<'_>,
        host: &H,
        fd: c_int,
        number: u32,
    ) -> Outcome<Self> {
        Self::begin(scope, host, fd, number, connects::<H>)
    }

    /// `callback` is one for this kind of host.
    fn begin<H: Host>(
        scope: Scope<'_>,
        host: &H,
        fd: c_int,
        number: u32,
        callback: PollCallback,
    ) -> Outcome<Self> {
        // SAFETY: `fd` is open: the caller closes it after `stop`. The data of an open handle is its `Callee`.
        unsafe {
            let handle = open::<H, UV_POLL>(scope, host, |event_loop, handle| {
                uv_poll_init_socket(event_loop, handle, fd)
            })?;
            (*uv_handle_get_data(handle).cast::<Callee>()).number = number;
            uv_unref(handle);
            let watch = Self(handle);
            if uv_poll_start(handle, UV_READABLE, callback) != 0 {
                watch.stop();
                return Err(Failure::Refused);
            }
            Ok(watch)
        }
    }

    /// No more calls; the descriptor is libuv's no longer when this returns.
    pub(in crate::binding) fn stop(self) {
        // SAFETY: started once, stopped once: `self` is gone.
        unsafe { close::<UV_POLL>(self.0) };
    }
}

unsafe extern "C" fn readable<H: Host>(handle: *mut c_void, status: c_int, _events: c_int) {
    // SAFETY: `begin` opened the handle, for this host.
    unsafe {
        let callee = callee(handle);
        let is_sound = call::<H>(callee, |host, scope| {
            host.readable(scope);
            Ok(())
        });
        // The connections go back to their I/O threads; so they do when the descriptor has an error, which libuv tells once.
        if !is_sound || status != 0 {
            call::<H>(callee, |host, _| {
                host.unwatch();
                Ok(())
            });
        }
    }
}

unsafe extern "C" fn connects<H: Host>(handle: *mut c_void, status: c_int, _events: c_int) {
    // SAFETY: `begin` opened the handle, for this host.
    unsafe {
        let callee = callee(handle);
        let number = callee.number;
        let is_sound = call::<H>(callee, |host, scope| {
            if status == 0 {
                host.connects(scope, number);
            }
            Ok(())
        });
        // Of an error of the descriptor libuv tells once, and watches it no longer.
        if !is_sound || status != 0 {
            call::<H>(callee, |host, _| {
                host.leaves(number);
                Ok(())
            });
        }
    }
}

/// A time that is waited for. It ends with [`Timer::stop`]; it does not keep the process alive.
pub(in crate::binding) struct Timer(*mut c_void);

impl Timer {
    pub(in crate::binding) fn new<H: Host>(scope: Scope<'_>, host: &H) -> Outcome<Self> {
        // SAFETY: none of these calls of libuv fails.
        unsafe {
            let handle = open::<H, UV_TIMER>(scope, host, |event_loop, handle| {
                uv_timer_init(event_loop, handle)
            })?;
            uv_unref(handle);
            Ok(Self(handle))
        }
    }

    /// Has [`Host::time_is_up`] called once, after this time: sooner by as long as this turn of the event loop has lasted.
    pub(in crate::binding) fn ask<H: Host>(&self, _: &H, time: Duration) {
        // SAFETY: not closed, by having `self`.
        unsafe { uv_timer_start(self.0, time_is_up::<H>, time.as_millis() as u64, 0) };
    }

    /// No more calls.
    pub(in crate::binding) fn stop(self) {
        // SAFETY: opened once, stopped once: `self` is gone.
        unsafe { close::<UV_TIMER>(self.0) };
    }
}

unsafe extern "C" fn time_is_up<H: Host>(handle: *mut c_void) {
    // SAFETY: `new` opened the handle, for this host.
    unsafe {
        call::<H>(callee(handle), |host, scope| {
            host.time_is_up(scope);
            Ok(())
        });
    }
}

/// A place behind the events that a turn of the event loop has found, and before its immediates. It ends with
/// [`BehindEvents::stop`]; it does not keep the process alive.
pub(in crate::binding) struct BehindEvents(*mut c_void);

impl BehindEvents {
    pub(in crate::binding) fn new<H: Host>(scope: Scope<'_>, host: &H) -> Outcome<Self> {
        // SAFETY: none of these calls of libuv fails.
        unsafe {
            let handle = open::<H, UV_CHECK>(scope, host, |event_loop, handle| {
                uv_check_init(event_loop, handle)
            })?;
            uv_unref(handle);
            Ok(Self(handle))
        }
    }

    /// Has [`Host::behind_events`] called once, in this turn of the loop. Called while its events are told.
    pub(in crate::binding) fn ask<H: Host>(&self, _: &H) {
        // SAFETY: not closed, by having `self`. That it has been started before does no harm.
        unsafe { uv_check_start(self.0, behind_events::<H>) };
    }

    /// No more calls.
    pub(in crate::binding) fn stop(self) {
        // SAFETY: opened once, stopped once: `self` is gone.
        unsafe { close::<UV_CHECK>(self.0) };
    }
}

unsafe extern "C" fn behind_events<H: Host>(handle: *mut c_void) {
    // SAFETY: `new` opened the handle, for this host.
    unsafe {
        uv_check_stop(handle);
        call::<H>(callee(handle), |host, scope| {
            host.behind_events(scope);
            Ok(())
        });
    }
}

/// A running watch on the turns of the event loop. It ends with [`LoopWatch::stop`]; it does not keep the process alive.
pub(in crate::binding) struct LoopWatch(*mut c_void);

impl LoopWatch {
    /// Calls [`Host::end_turn`] each time that the event loop is about to wait for events.
    pub(in crate::binding) fn start<H: Host>(scope: Scope<'_>, host: &H) -> Outcome<Self> {
        // SAFETY: none of these calls of libuv fails.
        unsafe {
            let handle = open::<H, UV_PREPARE>(scope, host, |event_loop, handle| {
                uv_prepare_init(event_loop, handle)
            })?;
            uv_prepare_start(handle, turn_ended::<H>);
            uv_unref(handle);
            Ok(Self(handle))
        }
    }

    /// No more calls.
    pub(in crate::binding) fn stop(self) {
        // SAFETY: started once, stopped once: `self` is gone.
        unsafe { close::<UV_PREPARE>(self.0) };
    }
}

unsafe extern "C" fn turn_ended<H: Host>(handle: *mut c_void) {
    // SAFETY: `start` opened the handle, for this host, of a live environment. No handle of JavaScript's is made.
    unsafe {
        let callee = callee(handle);
        let host = &*callee.host.cast::<H>();
        // A panic has nowhere to go from here, and nothing is half done.
        let _ = std::panic::catch_unwind(AssertUnwindSafe(|| {
            Scope::enter(callee.env, true, |scope| host.end_turn(idle_time(scope)));
        }));
    }
}
