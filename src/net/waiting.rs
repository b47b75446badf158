//! What a driver's poll does not do, since there is no room for what it would lead to, and what wakes the driver when there is.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;

use super::connection::Connection;
use super::line::InLine;
#[cfg(test)]
use super::tests::model::{self, Fault};

/// True if what a poll does not do waits for room.
pub(super) fn lacks(has_window: bool) -> bool {
    #[cfg(test)]
    if model::is_put_back(Fault::RoomMadeUnseen) {
        return false;
    }
    !has_window
}

/// Lists the connection to be told of room if there is none in all, or the poll lacked some. JavaScript can have made room since:
/// then nothing else has the rest parsed or read, and the driver looks again.
pub(super) fn for_room(connection: &Arc<Connection>, has_lacked: bool, cx: &Context<'_>) {
    #[cfg(test)]
    model::step();
    let lacks_room = has_lacked || !connection.has_room_to_read();
    if lacks_room && !connection.waits_for_room() {
        // There is room by now, unless it is the connection's own that is full, of which `delivered` tells.
        if connection.has_room_to_read() {
            cx.waker().wake_by_ref();
        }
    }
}

/// Gets a place in line if the connection waits for the limits of the server; if it was woken and there is still room, the next one
/// is woken.
pub(super) fn for_limits(connection: &Connection, place: &mut Option<InLine>, cx: &Context<'_>) {
    let Some(limits) = &connection.limits else {
        return;
    };
    if place.as_ref().is_some_and(InLine::is_in_line) {
        return;
    }
    let was_waiting = place.take().is_some();
    let (is_gated, is_held) = {
        let state = connection.lock();
        let is_gated = state.metered.gated.swap(false, Ordering::Relaxed);
        (is_gated, connection.is_held(&state))
    };
    if is_held && is_gated {
        *place = Some(limits.line.join(cx.waker()));
    }
    // There may be room by now.
    if is_gated && !connection.is_held(&connection.lock()) {
        cx.waker().wake_by_ref();
    }
    if was_waiting && !is_held {
        limits.line.wake_next();
    }
}
