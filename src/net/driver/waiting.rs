//! What a poll leaves undone, since there is no room for what it would lead to, and who wakes the driver when there is.

use std::sync::atomic::Ordering;
use std::task::Context;

use super::Driver;
use crate::net::line::InLine;
#[cfg(test)]
use crate::net::tests::model::{self, Fault};

impl Driver {
    /// Lists the connection to be told of room if this poll lacked room in all. JavaScript can have made some since: then nothing
    /// else has the rest parsed or read, and the driver looks again.
    pub(super) fn wait_for_room(&mut self, cx: &Context<'_>) {
        #[cfg(test)]
        model::step();
        let connection = &self.connection;
        let lacked_room = std::mem::take(&mut self.lacked_room) || !connection.has_window();
        if lacked_room && !connection.waits_for_room() {
            // There is room by now, unless it is the connection's own that is full, of which `delivered` tells.
            if connection.has_window() {
                cx.waker().wake_by_ref();
            }
        }
    }

    /// Waits in line if the limits of the server hold the connection; if it was its turn and there is still room, it is the next
    /// one's.
    pub(super) fn wait_for_limits(&mut self, cx: &Context<'_>) {
        let connection = &self.connection;
        let Some(limits) = &connection.limits else {
            return;
        };
        if self.place.as_ref().is_some_and(InLine::is_in_line) {
            return;
        }
        let was_waiting = self.place.take().is_some();
        let (is_gated, is_held) = {
            let state = connection.lock();
            let is_gated = state.metered.gated.swap(false, Ordering::Relaxed);
            (is_gated, connection.is_held(&state))
        };
        if is_held && is_gated {
            self.place = Some(limits.line.join(cx.waker()));
        }
        // There may be room by now.
        if is_gated && !connection.is_held(&connection.lock()) {
            cx.waker().wake_by_ref();
        }
        if was_waiting && !is_held {
            limits.line.wake_next();
        }
    }
}

/// True if what a poll leaves undone waits for room.
pub(super) fn lacks(has_window: bool) -> bool {
    #[cfg(test)]
    if model::is_put_back(Fault::RoomMadeUnseen) {
        return false;
    }
    !has_window
}
