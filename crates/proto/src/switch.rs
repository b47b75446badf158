//! The way out of HTTP: what becomes of a head that asks to switch protocols (RFC 9110 §7.8).

use crate::body::framing;
use crate::config::Role;
use crate::connection::Connection;
use crate::error::CloseReason;
use crate::event::BodyFraming;
use crate::state::Receive;

impl Connection {
    /// The bytes behind the held head are another protocol's, to begin with those already read: from
    /// now on there are only [`Event::Raw`] and [`Event::NeedData`] (RFC 9110 §7.8). Does nothing
    /// if nothing is held.
    pub fn accept_switch(&mut self) {
        if let Receive::Held(_) = self.receive {
            self.detach();
        }
    }

    /// The same, but the held request's body is read first, as Node 26 does.
    pub fn accept_switch_after_body(&mut self) {
        if let Receive::Held(framing) = self.receive {
            let leniency = self.rules.config.leniency;
            if framing == BodyFraming::UntilClose || framing::is_refused(&self.facts, leniency) {
                // Nothing tells where that body would end.
                self.detach();
            } else {
                self.switches_after = true;
                self.go_on(framing);
            }
        }
    }

    /// The held message is an ordinary one: its body follows. Does nothing if nothing is held.
    ///
    /// On a client there is no way to go on, and what follows is overlooked.
    pub fn decline_switch(&mut self) {
        if let Receive::Held(framing) = self.receive {
            if self.rules.role == Role::Client {
                self.expected.pop();
                self.close.get_or_insert(CloseReason::PeerRefused);
                self.receive = Receive::Ignored;
            } else {
                self.go_on(framing);
            }
        }
    }
}
