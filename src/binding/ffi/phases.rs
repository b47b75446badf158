//! Two phases of libuv's loop: that of closed handles, and the pending phase, of requests that were done at once.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::rc::Rc;

use super::handle::{
    Callee, UV_CHECK, UV_IDLE, allocate, call, event_loop, free, uv_check_init, uv_check_start,
    uv_close, uv_handle_get_data, uv_handle_set_data, uv_idle_init, uv_idle_start,
};
use super::host::Host;
use super::scope::{Failure, Scope};

/// A host's place in libuv's phase for closed handles. It may come when the host is gone.
#[derive(Default)]
pub(in crate::binding) struct ClosePhase(Cell<Option<Asked>>);

#[derive(Clone, Copy)]
struct Asked {
    callee: Callee,
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
        // SAFETY: a handle that was never started is closed; `reached` frees it and has the reference in its data.
        let handle = unsafe {
            let handle = allocate(UV_IDLE);
            // Never fails.
            uv_idle_init(event_loop, handle);
            uv_handle_set_data(handle, Rc::into_raw(Rc::clone(self)).cast_mut().cast());
            uv_close(handle, reached::<H>);
            handle
        };
        self.0.set(Some(Asked {
            callee: Callee::of(scope, host),
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
        unsafe { call(asked.callee, H::close_phase) };
    }
}

/// A host's place where libuv finishes requests that were done at once: behind the phase that asks for it, and before the
/// loop waits for events. libuv has no call for that. An idle handle stands for it behind timers, a check handle behind
/// events (those of an addon run before the immediates), and a closed handle behind immediates; the first that comes counts.
#[derive(Default)]
pub(in crate::binding) struct PendingPhase(Cell<Option<Pending>>);

#[derive(Clone, Copy)]
struct Pending {
    callee: Callee,
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
        // SAFETY: each handle has a reference to `self`, which the callback of its `uv_close` gives back; that frees the handle.
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
            callee: Callee::of(scope, host),
            idle,
            check,
        }));
        Ok(())
    }

    /// Ends the wait. Nothing is called any more.
    pub(in crate::binding) fn forget(&self) {
        self.take();
    }

    fn take(&self) -> Option<Callee> {
        let asked = self.0.take()?;
        // SAFETY: started by `ask`, closed once: `self` has them no longer.
        unsafe {
            uv_close(asked.idle, freed::<UV_IDLE>);
            uv_close(asked.check, freed::<UV_CHECK>);
        }
        Some(asked.callee)
    }

    fn reach<H: Host>(&self, phase: fn(&H, Scope<'_>) -> Result<(), Failure>) {
        if let Some(callee) = self.take() {
            // SAFETY: `ask` was given this host, and `forget` is called before it goes.
            unsafe { call(callee, phase) };
        }
    }
}

unsafe extern "C" fn pending<H: Host>(handle: *mut c_void) {
    // SAFETY: `ask` set the data, whose reference stays with the handle; by this one the phase lives while it is reached.
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
