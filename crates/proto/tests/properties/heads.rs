//! Messages of either side: whole and cut anywhere, through the fast path and through the reference machine.

use http_native_proto::{Connection, ErrorKind, Role, Row};

use super::input::{Cuts, Setup};
use super::observer::{Observer, Place, Told};

/// What a connection said, and what it noted.
struct Said {
    observer: Observer,
    noted: Vec<Row>,
}

/// Plays a connection.
struct Play<'s> {
    setup: &'s Setup,
    connection: Connection,
    observer: Observer,
    switches: u8,
}

impl<'s> Play<'s> {
    fn new(role: Role, setup: &'s Setup, reference: bool) -> Self {
        let mut connection = Connection::new(role, setup.config);
        let mut observer = Observer::new();
        if reference {
            connection.use_reference_only();
        }
        if role == Role::Client {
            for place in 0..setup.expected {
                // Not all of one kind.
                let is_odd = place & 1 != 0;
                connection.expect_response(setup.head && !is_odd, setup.connect && is_odd);
                observer.outstanding += 1;
            }
        }
        Self {
            setup,
            connection,
            observer,
            switches: setup.switches,
        }
    }

    fn feed(&mut self, packet: &[u8]) {
        let has_failed = self.observer.error.is_some();
        let mut input = packet;
        loop {
            let is_client = self.connection.role() == Role::Client;
            if is_client && self.setup.expected == 0 && self.observer.outstanding == 0 {
                let Setup { head, connect, .. } = *self.setup;
                self.connection.expect_response(head, connect);
                self.observer.outstanding += 1;
            }
            let told = self
                .observer
                .pull(&mut self.connection, self.setup, &mut input);
            match told {
                Told::NeedData => break,
                Told::Event => {}
                Told::Held => self.switch(),
                Told::Failed => {
                    let offset = self.observer.error.map_or(0, |error| error.offset);
                    let is_within = has_failed || offset <= packet.len();
                    assert!(is_within, "an error beyond the packet");
                    return;
                }
            }
        }
        // Nothing more is said of what was said.
        let told = self
            .observer
            .pull(&mut self.connection, self.setup, &mut input);
        assert_eq!(told, Told::NeedData);
    }

    /// Decides about a held head.
    fn switch(&mut self) {
        decide(&mut self.connection, &mut self.observer, self.switches & 3);
        self.switches = self.switches.rotate_right(2);
    }

    fn finish(mut self) -> Said {
        if self.setup.eof {
            self.observer.end(&mut self.connection);
        }
        Said {
            observer: self.observer,
            noted: self.connection.take_noted(),
        }
    }
}

/// Decides about a head that is held: accepts, declines, or accepts behind the body.
pub(super) fn decide(connection: &mut Connection, observer: &mut Observer, decision: u8) {
    let Place::Held(body) = observer.place else {
        panic!("nothing is held");
    };
    let role = connection.role();
    match decision {
        0 | 1 => {
            connection.accept_switch();
            observer.detach();
        }
        2 => {
            connection.decline_switch();
            if role == Role::Client {
                observer.outstanding -= 1;
                observer.place = Place::Mute;
            } else {
                observer.go_on(body, role);
            }
        }
        _ => {
            connection.accept_switch_after_body();
            if connection.has_switched() {
                observer.detach();
            } else {
                observer.switches_after = true;
                observer.go_on(body, role);
            }
        }
    }
    observer.agrees(connection);
}

fn play<'w>(
    role: Role,
    setup: &Setup,
    reference: bool,
    packets: impl Iterator<Item = &'w [u8]>,
) -> Said {
    let mut play = Play::new(role, setup, reference);
    for packet in packets {
        play.feed(packet);
    }
    play.finish()
}

/// What is said does not depend on where the bytes were cut.
pub(super) fn cut_anywhere(role: Role, data: &[u8]) {
    let Some((setup, wire)) = Setup::read(data) else {
        return;
    };
    let whole = play(role, &setup, false, std::iter::once(wire));
    let cut = play(role, &setup, false, Cuts::new(setup.cuts).of(wire));
    if !is_one_of_two(&whole.observer, &cut.observer) {
        assert_eq!(whole.observer.log, cut.observer.log, "cut, and other");
    }
    if whole.observer.error.is_none() {
        // Of one message, what comes first may be told first.
        let sorted = |mut noted: Vec<Row>| {
            noted.sort_by_key(|row| row.number());
            noted
        };
        let (whole, cut) = (sorted(whole.noted), sorted(cut.noted));
        assert_eq!(whole, cut, "cut, and noted otherwise");
    }
}

/// True if all is the same but for the error, of which there are two: what has come of a name or value is counted where a packet
/// ends, as Node counts it, and so one that is too long may be told before a wrong byte of it.
fn is_one_of_two(whole: &Observer, cut: &Observer) -> bool {
    const COUNTED: [ErrorKind; 2] = [
        ErrorKind::HeaderOverflow,
        ErrorKind::ChunkExtensionsOverflow,
    ];
    let (Some(first), Some(second)) = (whole.error, cut.error) else {
        return false;
    };
    // The error's number is the last byte.
    let before = |observer: &Observer| observer.log[..observer.log.len() - 1].to_vec();
    COUNTED.contains(&second.kind) && first.kind != second.kind && before(whole) == before(cut)
}

/// The fast path and the reference machine say the same, down to where errors are, and what is noted.
pub(super) fn fast_as_reference(data: &[u8]) {
    const CLIENT: u8 = 0x80;
    let Some((&role, data)) = data.split_first() else {
        return;
    };
    let Some((setup, wire)) = Setup::read(data) else {
        return;
    };
    let role = match role & CLIENT {
        0 => Role::Server,
        _ => Role::Client,
    };
    let said = |reference| {
        if setup.cuts & 0x80 == 0 {
            play(role, &setup, reference, std::iter::once(wire))
        } else {
            play(role, &setup, reference, Cuts::new(setup.cuts).of(wire))
        }
    };
    let (fast, reference) = (said(false), said(true));
    assert_eq!(fast.observer.log, reference.observer.log, "two paths");
    assert_eq!(fast.observer.error, reference.observer.error, "two errors");
    assert_eq!(fast.noted, reference.noted, "two lists of what was noted");
}
