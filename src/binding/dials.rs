//! Sockets of clients that connect: they lie in the set of the lent sockets, which tells when they have. A dial has the id of the
//! connection that it becomes, until JavaScript has it carried or hangs up.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use socket2::Socket;

use super::encoder::Encoder;

pub(super) struct Dial {
    pub(super) socket: Arc<Socket>,
    /// The look at the set behind which it began: what earlier looks have found is not about it.
    pub(super) began: u64,
    /// There is something to read, of which the set does not tell again by itself.
    pub(super) reads: bool,
    /// It has ended, and DIALLED was told, or is on its way.
    pub(super) is_over: bool,
}

#[derive(Default)]
pub(super) struct Dials {
    pub(super) by_id: RefCell<HashMap<u32, Dial>>,
    /// Those of which the set has told in this turn of the loop.
    met: RefCell<Vec<u32>>,
    /// The DIALLED of those that were met, on their way to JavaScript: they do not wait for what was closed in that.
    pub(super) told: RefCell<Encoder>,
}

impl Dials {
    /// The socket of a dial.
    pub(super) fn socket(&self, id: u32) -> Option<Arc<Socket>> {
        let dials = self.by_id.borrow();
        dials.get(&id).map(|dial| Arc::clone(&dial.socket))
    }

    /// Notes a dial of which the set tells, at a look. True if there is one. It ends behind all other events of the loop's turn: libuv
    /// begins to watch a socket that connects when it waits, and so hears of it behind what its peer, if that is in the process, has heard.
    pub(super) fn meet(&self, id: u32, reads: bool, look: u64) -> bool {
        let mut dials = self.by_id.borrow_mut();
        let Some(dial) = dials.get_mut(&id) else {
            return false;
        };
        if dial.began == look {
            return true;
        }
        dial.reads |= reads;
        if !dial.is_over {
            self.met.borrow_mut().push(id);
        }
        true
    }

    /// Those that were met.
    pub(super) fn take_met(&self) -> Vec<u32> {
        self.met.take()
    }

    /// Lets go of all.
    pub(super) fn clear(&self) {
        self.by_id.take();
    }
}

#[cfg(test)]
mod tests {
    use socket2::{Domain, Type};

    use super::*;

    fn dials(began: u64) -> Dials {
        let dials = Dials::default();
        let socket = Arc::new(Socket::new(Domain::IPV4, Type::STREAM, None).unwrap());
        let dial = Dial {
            socket,
            began,
            reads: false,
            is_over: false,
        };
        dials.by_id.borrow_mut().insert(7, dial);
        dials
    }

    #[test]
    fn what_a_look_found_that_was_made_before_is_not_about_the_dial() {
        let dials = dials(3);
        assert!(!dials.meet(8, true, 3), "there is no such dial");
        assert!(dials.meet(7, true, 3));
        assert!(!dials.by_id.borrow()[&7].reads);
        assert!(dials.take_met().is_empty());
        assert!(dials.meet(7, true, 4));
        assert_eq!(dials.take_met(), [7]);
    }

    #[test]
    fn a_dial_that_is_over_notes_what_there_is_to_read_and_is_not_met_again() {
        let dials = dials(0);
        dials.by_id.borrow_mut().get_mut(&7).unwrap().is_over = true;
        assert!(dials.meet(7, false, 1) && dials.meet(7, true, 2) && dials.meet(7, false, 3));
        assert!(dials.by_id.borrow()[&7].reads);
        assert!(dials.take_met().is_empty());
        dials.clear();
        assert!(dials.socket(7).is_none());
    }
}
