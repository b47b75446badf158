//! The end of a turn of the event loop, where libuv tells of closed handles.
//!
//! Core's connections are libuv's handles: who destroys one hears of it behind the immediates, and of what its peer makes of
//! that in the next turn, even if the peer is in this process. So JavaScript has its own callbacks called there, and what
//! the I/O threads say after something was destroyed waits until then.

use std::cell::Cell;

use napi::sys;

use super::environment::Environment;
use super::ffi::{Failure, Scope, Value, at_close_phase, waits_for_turn};

/// What libuv's callback needs. It may come when the environment is gone.
#[derive(Default)]
pub(super) struct Closing {
    /// Whom to call, while something was closed.
    owner: Cell<Option<(sys::napi_env, *const Environment)>>,
    /// Events wait for it.
    postponed: Cell<bool>,
}

impl Closing {
    /// Was something closed in this turn? Then what came behind that waits.
    pub(super) fn postpones(&self) -> bool {
        let postpones = self.owner.get().is_some();
        self.postponed.set(self.postponed.get() || postpones);
        postpones
    }

    pub(super) fn reached(&self) -> Option<(sys::napi_env, *const Environment)> {
        self.owner.take()
    }

    /// The environment is being torn down.
    pub(super) fn forget(&self) {
        self.owner.set(None);
    }
}

impl Environment {
    /// Something was closed: [`Environment::close_phase`] follows in this turn of the event loop.
    pub(super) fn closes(&self, scope: Scope) -> Result<(), Failure> {
        let closing = &self.closing;
        if closing.owner.get().is_none() {
            at_close_phase(scope, closing)?;
            closing
                .owner
                .set(Some((scope.env(), std::ptr::from_ref(self))));
        }
        Ok(())
    }

    /// What the events led to may have led to immediates, which core runs before it hears of more.
    pub(super) fn end_round(&self, scope: Scope) -> Result<(), Failure> {
        if waits_for_turn(scope) {
            self.closes(scope)?;
        }
        Ok(())
    }

    /// Lets JavaScript tell of what was closed, and the events that waited come.
    pub(super) fn close_phase(&self, scope: Scope) -> Result<(), Failure> {
        if self.closing.postponed.take() {
            self.give_signal();
        }
        let function: Option<Value> = match &*self.dispatch.borrow() {
            Some(dispatch) => Some(scope.dereference(&dispatch.function)?),
            None => None,
        };
        match function {
            Some(function) => scope.call(function, scope.integer(0)?),
            None => Ok(()),
        }
    }
}
