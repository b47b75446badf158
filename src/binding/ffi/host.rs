//! What the fence calls in the house.

use std::cell::RefCell;
use std::rc::Rc;

use super::scope::{ARGUMENTS, Failure, Outcome, Scope, Value};

/// A function that JavaScript calls, with its arguments; missing ones are undefined.
pub(in crate::binding) type Function<H> =
    for<'s> fn(&H, Scope<'s>, &[Value<'s>; ARGUMENTS]) -> Outcome<Option<Value<'s>>>;

/// What a raw function is called with.
pub(super) struct Exported<H> {
    pub(super) host: *const H,
    pub(super) function: Function<H>,
}

/// What the raw functions of a host point to.
pub(in crate::binding) struct Exports<H>(RefCell<Vec<Rc<Exported<H>>>>);

impl<H> Default for Exports<H> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<H> Exports<H> {
    pub(super) fn keep(&self, exported: Rc<Exported<H>>) {
        self.0.borrow_mut().push(exported);
    }
}

/// The owner of an environment's state: callbacks of Node and of libuv end in one of these, on the JS thread.
pub(in crate::binding) trait Host: Sized + 'static {
    /// The raw functions, which live as long as this.
    fn exports(&self) -> &Exports<Self>;

    /// The signal was given.
    fn drain(&self, scope: Scope<'_>);

    /// A bug was met while draining: the signal is to be given again.
    fn drain_again(&self);

    /// The watched descriptor has something to tell.
    fn readable(&self, scope: Scope<'_>);

    /// Connections wait at the listening socket that is watched with this number.
    fn connects(&self, scope: Scope<'_>, number: u32);

    /// That socket has an error, or a bug was met: the watch is to end.
    fn leaves(&self, number: u32);

    /// The time that was asked for has passed.
    fn time_is_up(&self, scope: Scope<'_>);

    /// All that the loop's look at the descriptors has found was told.
    fn behind_events(&self, scope: Scope<'_>);

    /// The watched descriptor has an error, or a bug was met: the watch is to end.
    fn unwatch(&self);

    /// Where libuv tells of the handles that were closed in this turn of the event loop.
    fn close_phase(&self, scope: Scope<'_>) -> Result<(), Failure>;

    /// Where libuv finishes requests that were done at once.
    fn pending_phase(&self, scope: Scope<'_>) -> Result<(), Failure>;

    /// The same, behind the closed handles of this turn of the loop, of which not all need have been told.
    fn next_turn(&self, scope: Scope<'_>) -> Result<(), Failure>;

    /// The event loop is about to wait for events: a turn of it is over. `idle` is how long it has waited in all, ns.
    fn end_turn(&self, idle: u64);

    /// The environment is being torn down.
    fn tear_down(&self);
}
