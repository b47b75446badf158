//! Faults that were there once, and are put back: the model must find each of them.

use std::time::Duration;

use super::explore;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) enum Fault {
    /// What is read while something waits to be parsed is parsed before it.
    Overtaking,
    /// After a write the writer does not look whether the driver skipped the end of the connection because of it.
    LostWake,
    /// The driver does not look again for a keep-alive time that the JS thread has begun.
    LateKeepAlive,
    /// The driver lacks room, finds at the end of its poll that some was made, and takes that for the room it had.
    RoomMadeUnseen,
    /// A read fills the room, with a rest behind it, some is made, and the driver takes that for the room it had.
    RestUnseen,
    /// The driver has read up to the narrow window, which is wide again when JavaScript makes room, and the driver is not told.
    NarrowUnseen,
    /// CLOSED is told while the socket is still open, so that the peer has not heard of the end.
    ToldEarly,
    /// A connection is destroyed while the I/O thread writes, and the peer, which has that already, does not hear of it in the call.
    FlightUnseen,
    /// A peer that hangs up behind as many requests as may be unanswered is not heard of until they are answered.
    HangUpUnseen,
    /// The I/O thread stops looking for what JavaScript says in a turn that goes on, though something was put in since it has looked.
    PutUnseen,
    /// What is said behind that which the I/O thread has fetched, in the same turn, is not put in.
    RoundUnseen,
}

/// Orders in which each fault that is put back must be found: many times as many as it takes.
const SEEDS_OF_A_FAULT: u64 = 20_000;

/// The fault is found, and what it does is this.
fn finds(fault: Fault, symptoms: &[&str]) {
    let wrong =
        explore(Some(fault), SEEDS_OF_A_FAULT, Duration::MAX).expect_err("the fault is found");
    println!("{fault:?}: {wrong}");
    let is_known = symptoms.iter().any(|symptom| wrong.contains(symptom));
    assert!(is_known, "{wrong}");
}

#[test]
fn a_wake_that_is_lost_behind_a_write_is_found() {
    finds(Fault::LostWake, &["no CLOSED"]);
}

#[test]
fn a_packet_that_overtakes_what_waits_is_found() {
    finds(Fault::Overtaking, &["out of order", "cut"]);
}

#[test]
fn a_keep_alive_time_that_is_not_watched_is_found() {
    finds(Fault::LateKeepAlive, &["no TIMEOUT"]);
}

#[test]
fn a_poll_that_does_not_see_that_room_was_made_is_found() {
    finds(Fault::RoomMadeUnseen, &["not parsed", "no CLOSED"]);
}

#[test]
fn a_rest_of_a_read_that_waits_for_room_that_was_made_is_found() {
    finds(Fault::RestUnseen, &["not parsed", "no CLOSED"]);
}

#[test]
fn room_in_a_narrow_window_that_is_wide_again_is_found() {
    finds(Fault::NarrowUnseen, &["not parsed", "no CLOSED"]);
}

#[test]
fn an_end_that_javascript_hears_of_before_the_peer_is_found() {
    finds(Fault::ToldEarly, &["CLOSED, and the peer has not heard"]);
}

#[test]
fn an_end_behind_a_write_of_the_io_thread_that_the_peer_does_not_hear_of_is_found() {
    finds(
        Fault::FlightUnseen,
        &["destroyed, and the peer has not heard"],
    );
}

#[test]
fn a_peer_that_hangs_up_behind_unanswered_requests_is_heard_of() {
    finds(Fault::HangUpUnseen, &["not parsed", "no CLOSED"]);
}

#[test]
fn what_is_said_in_a_long_turn_is_written_in_it() {
    finds(Fault::PutUnseen, &["not written in its turn"]);
}

#[test]
fn what_is_said_behind_that_is_written_too() {
    finds(
        Fault::RoundUnseen,
        &["not written in its turn", "no CLOSED", "not written"],
    );
}
