//! What must have come of a program at its end.

use http_native_proto::Role;

use super::super::peer::Peer;
use super::{End, Script};

impl Script {
    /// Notes what was not heard, if nothing has ended the connection.
    pub(super) fn check_heard(&mut self, when: &str) {
        let must_hear = !self.plan.drops && self.ended == End::None;
        if must_hear && !self.has_heard_all() {
            self.wrong.push(format!(
                "not parsed {when}: {} of {} requests came, {} raw bytes, EOF {} [{}]",
                self.requests,
                self.plan.heads.len(),
                self.raw.len(),
                self.eof,
                self.connection.shows(),
            ));
        }
    }

    /// Notes what was not told, though nothing that is left to pass would lead to it but time.
    pub(super) fn check_told(&mut self, when: &str) {
        let drops = self.plan.drops;
        let must_close = matches!(
            self.ended,
            End::Close | End::Destroy | End::Reset | End::Surrender
        ) || (self.ended == End::Shutdown && self.eof)
            || (drops && (self.ended != End::Shutdown || self.closed));
        let told = [
            (self.closed == must_close, "CLOSED, or a false one"),
            (self.closed || !self.awaits_drain, "DRAIN"),
            (!self.awaits_rest, "REST"),
            (self.closed || !self.awaits_lent, "LENT"),
        ];
        for (is_right, event) in told {
            if !is_right {
                self.wrong.push(format!("no {event} {when}"));
            }
        }
    }

    /// What is wrong, now that nothing comes any more.
    pub(in super::super) fn judge(mut self, peer: &Peer) -> Vec<String> {
        self.check_heard("at all");
        self.check_told("at all");
        let said = self.said.len();
        let got = peer.got.len();
        let is_abrupt = matches!(self.ended, End::Destroy | End::Reset);
        let mut wrong = std::mem::take(&mut self.wrong);
        let mut check = |holds: bool, what: String| {
            if !holds {
                wrong.push(what);
            }
        };
        check(
            self.said.starts_with(&peer.got),
            "other bytes were written than said".to_owned(),
        );
        let drops = self.plan.drops;
        check(
            drops || is_abrupt || got == said,
            format!("{got} of {said} written"),
        );
        check(
            drops || self.ended == End::None || peer.eof,
            "no FIN".to_owned(),
        );
        check(
            self.closed || !self.connection.is_overdue(),
            "no TIMEOUT".to_owned(),
        );
        if !drops && self.ended == End::None {
            let is_served = self.plan.role == Role::Server && !self.closed;
            check(
                !is_served || self.expired == (self.requests == 0),
                format!("no EXPIRED, or a false one ({})", self.expired),
            );
        }
        if let Some(number) = self.left_http {
            let behind = &self.plan.bytes[self.plan.heads[number]..];
            check(
                behind.starts_with(&self.raw),
                "raw bytes out of order".to_owned(),
            );
        }
        if self.ended == End::Destroy && !drops {
            let taken = self.connection.taken().max(self.promised);
            check(got as u64 >= taken, format!("{taken} taken, {got} written"));
        }
        if !wrong.is_empty() {
            wrong.push(format!("ended with {:?}", self.ended));
            wrong.push(self.connection.shows());
        }
        wrong
    }
}
