//! Panics put in on purpose, to see where they end: a test names a place, and what passes it next panics there. Only with the
//! feature `inject-panics`, which nothing that ships has: without it the calls are nothing.

/// Declares the places once: variant, name, what happens there.
macro_rules! places {
    ($($variant:ident $name:literal $what:literal)*) => {
        /// A place at which a test may have one panic.
        #[derive(Clone, Copy, Debug)]
        #[cfg_attr(not(feature = "inject-panics"), allow(dead_code, reason = "named, and nothing more"))]
        pub(crate) enum Place {
            $(#[doc = $what] $variant,)*
        }

        #[cfg(feature = "inject-panics")]
        impl Place {
            const NAMES: &'static [&'static str] = &[$($name,)*];
        }
    };
}

places! {
    Parse "parse" "A packet is parsed, by whichever thread has it; the connection and the queue are locked."
    Send "send" "A message is framed, on the JS thread, behind its head; the connection is locked."
    Write "write" "Output is on its way to the kernel, on either thread."
    Act "act" "The driver looks for duties; the connection is locked."
    Finish "finish" "The driver ends the connection; it is locked."
    Timer "timer" "A deadline has passed."
    Expire "expire" "The times of a server's connections are looked at; one of them is locked."
    Accept "accept" "A socket was accepted, and is none's yet."
    Drive "drive" "An I/O thread gets a connection to drive."
    Carry "carry" "A client's connection is made of a socket, on the JS thread."
    Lent "lent" "A lent socket is read, on the JS thread."
    Encode "encode" "An event was taken out of the queue for JavaScript."
    Dispatch "dispatch" "The JS thread looks for events."
    Release "release" "JavaScript lets go of a connection; it is locked."
}

/// Panics, once, if a test asked for it.
#[cfg(not(feature = "inject-panics"))]
#[inline(always)]
pub(crate) fn at(_: Place) {}

#[cfg(feature = "inject-panics")]
mod armed {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::Place;

    static ARMED: [AtomicBool; Place::NAMES.len()] =
        [const { AtomicBool::new(false) }; Place::NAMES.len()];

    pub(crate) fn at(place: Place) {
        assert!(
            !ARMED[place as usize].swap(false, Ordering::SeqCst),
            "put in at {place:?}"
        );
    }

    /// Has what passes the place of this name next panic there. False if there is no such place.
    #[cfg_attr(test, allow(dead_code, reason = "what only the binding calls"))]
    pub(crate) fn arm(name: &str) -> bool {
        let place = Place::NAMES.iter().position(|known| *known == name);
        if let Some(place) = place {
            ARMED[place].store(true, Ordering::SeqCst);
        }
        place.is_some()
    }

    /// True if the panic asked for has not come.
    #[cfg_attr(test, allow(dead_code, reason = "what only the binding calls"))]
    pub(crate) fn is_armed(name: &str) -> bool {
        let place = Place::NAMES.iter().position(|known| *known == name);
        place.is_some_and(|place| ARMED[place].load(Ordering::SeqCst))
    }
}

#[cfg(feature = "inject-panics")]
pub(crate) use armed::{arm, at, is_armed};
