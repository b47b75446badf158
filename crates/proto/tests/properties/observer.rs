//! Follows a connection from event to event: what must come next, what may not, and which bytes each event consumed. Writes
//! down what was said, without where the packets were cut.

use http_native_proto::{
    BodyFraming, CloseReason, Connection, Error, Event, Fields, RequestHead, ResponseHead, Role,
    Surplus,
};

use super::input::Setup;

/// Where the receiving side of a connection must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Head,
    /// Behind the head of a message with this body.
    Body(BodyFraming),
    /// Behind a head that asks for a switch, with this body if that is declined.
    Held(BodyFraming),
    Raw,
    /// Nothing more is told: a client has declined, or met a 101 that switches nothing.
    Mute,
    Failed,
}

/// What became of a call of `next_event`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    NeedData,
    Held,
    Event,
    Failed,
}

pub(super) struct Observer {
    pub(super) place: Place,
    /// Requests without an answer, or responses expected.
    pub(super) outstanding: u32,
    /// The message is the last before another protocol.
    pub(super) switches_after: bool,
    /// What was said.
    pub(super) log: Vec<u8>,
    /// Bytes of body in the last run of Data events, which are one for the log.
    run: Option<u64>,
    /// The error, once there is one.
    pub(super) error: Option<Error>,
    /// Heads that were told.
    pub(super) heads: u32,
    /// Events in a row that consumed no byte.
    idle: u32,
}

impl Observer {
    pub(super) fn new() -> Self {
        Self {
            place: Place::Head,
            outstanding: 0,
            switches_after: false,
            log: Vec::new(),
            run: None,
            error: None,
            heads: 0,
            idle: 0,
        }
    }

    /// Calls `next_event`, and judges what that gives.
    pub(super) fn pull(
        &mut self,
        connection: &mut Connection,
        setup: &Setup,
        input: &mut &[u8],
    ) -> Told {
        let before = *input;
        let role = connection.role();
        let told = match connection.next_event(input) {
            Ok(event) => {
                assert_eq!(self.error, None, "an event behind an error");
                let is_suffix = before.as_ptr_range().end == input.as_ptr_range().end;
                assert!(is_suffix, "the input is another");
                let taken = &before[..before.len() - input.len()];
                let told = self.event(&event, setup, role, taken);
                match told {
                    Told::NeedData => assert!(input.is_empty(), "bytes are left at NeedData"),
                    Told::Held => assert!(taken.is_empty(), "bytes were taken at Held"),
                    Told::Event | Told::Failed => {}
                }
                self.idle = match told {
                    Told::Event if taken.is_empty() => self.idle + 1,
                    _ => 0,
                };
                assert!(self.idle < 3, "events without bytes have no end");
                told
            }
            Err(error) => {
                assert_eq!(before.len(), input.len(), "an error took bytes");
                match self.error {
                    Some(first) => assert_eq!(error, first, "another error"),
                    None => self.fail(error),
                }
                Told::Failed
            }
        };
        self.agrees(connection);
        told
    }

    /// Tells of the end of the input.
    pub(super) fn end(&mut self, connection: &mut Connection) {
        match connection.end_of_input() {
            Ok(Event::End(trailers)) => {
                assert_eq!(self.place, Place::Body(BodyFraming::UntilClose));
                assert!(trailers.is_empty());
                self.say(b'E');
                self.end_message(connection.role());
            }
            Ok(event) => {
                assert!(matches!(event, Event::NeedData), "an event at the end");
                // Between messages, or where nothing is told any more.
                assert!(!matches!(self.place, Place::Body(_) | Place::Failed));
            }
            Err(error) => match self.error {
                Some(first) => assert_eq!(error, first, "another error"),
                None => self.fail(error),
            },
        }
        assert!(connection.must_close().is_some(), "it can go on at the end");
        self.agrees(connection);
    }

    fn fail(&mut self, error: Error) {
        self.error = Some(error);
        self.place = Place::Failed;
        self.say(b'!');
        self.log.push(error.number());
    }

    /// The connection says of itself what its events have said.
    pub(super) fn agrees(&self, connection: &Connection) {
        assert_eq!(connection.outstanding(), self.outstanding, "outstanding");
        assert_eq!(connection.has_switched(), self.place == Place::Raw);
        if matches!(self.place, Place::Body(body) if body != BodyFraming::None) {
            // A Transfer-Encoding that is to be refused has no body.
            let is_refused = self.place == Place::Body(BodyFraming::Chunked);
            assert!(connection.receiving() || is_refused, "inside a body");
        } else if self.place != Place::Head {
            assert!(!connection.receiving(), "outside a message");
        }
        if connection.is_idle() {
            assert!(!connection.receiving() && connection.outstanding() == 0);
        }
        if self.place == Place::Failed {
            assert_eq!(connection.must_close(), Some(CloseReason::Failed));
        }
        if self.place == Place::Raw {
            assert!(connection.must_close().is_some());
        }
    }

    fn event(&mut self, event: &Event<'_>, setup: &Setup, role: Role, taken: &[u8]) -> Told {
        match event {
            Event::NeedData => {
                assert!(!matches!(self.place, Place::Held(_)), "held, and told on");
                return Told::NeedData;
            }
            Event::Held => {
                assert!(matches!(self.place, Place::Held(_)), "held without a head");
                return Told::Held;
            }
            Event::Request(head) => {
                assert_eq!((role, self.place), (Role::Server, Place::Head));
                self.request(head, setup);
            }
            Event::Response(head) => {
                assert_eq!((role, self.place), (Role::Client, Place::Head));
                self.response(head, setup);
            }
            Event::Data(data) => {
                assert!(!data.is_empty(), "empty data");
                let within = taken.as_ptr_range();
                let part = data.as_ptr_range();
                assert!(within.start <= part.start && part.end == within.end);
                match &mut self.place {
                    Place::Body(BodyFraming::Length(left)) => {
                        assert_eq!(data.len(), taken.len());
                        let rest = left.checked_sub(data.len() as u64);
                        *left = rest.expect("more data than Content-Length says");
                    }
                    Place::Body(BodyFraming::UntilClose) => assert_eq!(data.len(), taken.len()),
                    Place::Body(BodyFraming::Chunked) => {}
                    place => panic!("data at {place:?}"),
                }
                self.data(data);
            }
            Event::End(trailers) => {
                match self.place {
                    Place::Body(BodyFraming::Length(0)) => assert!(trailers.is_empty()),
                    Place::Body(BodyFraming::Chunked) => {}
                    place => panic!("an end at {place:?}"),
                }
                self.fields(trailers, setup, 0);
                self.say(b'E');
                self.fields_said(trailers);
                self.end_message(role);
            }
            Event::Raw(bytes) => {
                assert_eq!(self.place, Place::Raw, "raw bytes");
                assert!(!bytes.is_empty() && std::ptr::eq(*bytes, taken));
                self.data(bytes);
            }
        }
        Told::Event
    }

    fn request(&mut self, head: &RequestHead<'_>, setup: &Setup) {
        self.heads += 1;
        self.outstanding += 1;
        self.fields(&head.fields, setup, head.target.len());
        let is_endless = head.body == BodyFraming::UntilClose;
        assert!(
            !is_endless || !setup.config.leniency.is_none(),
            "a request without end"
        );
        self.framed(head.body, head.framed);
        self.say(b'Q');
        self.log.push(head.method.number());
        self.log.extend_from_slice(head.target);
        let flags = [
            head.keep_alive,
            head.framed,
            head.switch,
            head.has_expect,
            head.has_host,
            head.noted,
        ];
        self.head_said(head.version, head.body, &flags);
        self.fields_said(&head.fields);
        self.begin(head.body, head.switch, Role::Server);
    }

    fn response(&mut self, head: &ResponseHead<'_>, setup: &Setup) {
        self.heads += 1;
        assert_ne!(self.outstanding, 0, "a response that nothing asked for");
        assert!(head.status <= 999);
        self.fields(&head.fields, setup, head.reason.len());
        self.framed(
            head.body,
            head.framed || head.body == BodyFraming::UntilClose,
        );
        self.say(b'R');
        self.log.extend_from_slice(&head.status.to_le_bytes());
        self.log.extend_from_slice(head.reason);
        let flags = [
            head.keep_alive,
            head.framed,
            head.switch,
            head.informational,
            head.noted,
        ];
        self.head_said(head.version, head.body, &flags);
        self.fields_said(&head.fields);
        if head.informational {
            assert!(matches!(head.status, 100 | 102..=199) && !head.switch);
            assert_eq!(head.body, BodyFraming::None);
        } else if head.status == 101 && !head.switch {
            self.outstanding -= 1;
            self.place = Place::Mute;
        } else {
            self.begin(head.body, head.switch, Role::Client);
        }
    }

    fn begin(&mut self, body: BodyFraming, switch: bool, role: Role) {
        if switch {
            self.place = Place::Held(body);
        } else {
            self.go_on(body, role);
        }
    }

    /// Behind a head that is no switch.
    pub(super) fn go_on(&mut self, body: BodyFraming, role: Role) {
        match body {
            BodyFraming::None => self.end_message(role),
            body => self.place = Place::Body(body),
        }
    }

    fn end_message(&mut self, role: Role) {
        if self.switches_after {
            self.detach();
            return;
        }
        if role == Role::Client {
            self.outstanding -= 1;
        }
        self.place = Place::Head;
    }

    /// Behind it are another protocol's bytes.
    pub(super) fn detach(&mut self) {
        self.switches_after = false;
        self.outstanding = self.outstanding.saturating_sub(1);
        self.place = Place::Raw;
    }

    fn framed(&self, body: BodyFraming, framed: bool) {
        assert_ne!(body, BodyFraming::Length(0), "a length of nothing");
        assert!(
            body == BodyFraming::None || framed,
            "a body without framing"
        );
    }

    /// Fields, and what stands in the first line, are within the limits, and are what the text's form allows.
    fn fields(&self, fields: &Fields<'_>, setup: &Setup, start: usize) {
        let config = &setup.config;
        let len = fields.len();
        let mut size = start;
        let mut count = 0;
        for (name, value) in fields {
            count += 1;
            size += name.len() + value.len();
            // What would be read as another field.
            let is_one = |part: &[u8]| !part.iter().any(|byte| matches!(byte, b'\n' | b'\r'));
            assert!(is_one(name) && is_one(value), "a line end in a field");
            if config.leniency.is_none() {
                assert!(!name.is_empty(), "a field without name");
                let is_token =
                    |byte: &u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(byte);
                assert!(name.iter().all(is_token), "no token");
                let is_value = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~' | 0x80..);
                assert!(value.iter().all(is_value), "a control character");
                let is_space = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
                assert!(!is_space(value.first()) && !is_space(value.last()));
            }
        }
        assert_eq!(count, len, "another number of fields");
        assert!(fields.counted() <= len);
        let ends = fields.packed().iter().filter(|&&byte| byte == b'\n');
        let ends = ends.count() as u32;
        assert_eq!(ends, (2 * len).saturating_sub(1), "fields run together");
        assert!(size < config.max_header_size as usize, "beyond the limit");
        if config.max_headers != 0 {
            match config.surplus {
                Surplus::Refuse => assert!(len <= config.max_headers),
                Surplus::Drop | Surplus::DropGroups => {
                    assert!(len <= config.max_headers.saturating_add(Surplus::GROUP));
                }
            }
        }
    }

    /// Ends the run of data, and begins what `tag` says.
    fn say(&mut self, tag: u8) {
        if let Some(run) = self.run.take() {
            self.log.extend_from_slice(&run.to_le_bytes());
        }
        self.log.push(tag);
    }

    fn data(&mut self, data: &[u8]) {
        if self.run.is_none() {
            self.say(b'D');
        }
        self.run = Some(self.run.unwrap_or(0) + data.len() as u64);
        self.log.extend_from_slice(data);
    }

    fn head_said(&mut self, version: (u8, u8), body: BodyFraming, flags: &[bool]) {
        self.log.extend_from_slice(&[b'\n', version.0, version.1]);
        match body {
            BodyFraming::None => self.log.push(0),
            BodyFraming::Chunked => self.log.push(1),
            BodyFraming::UntilClose => self.log.push(2),
            BodyFraming::Length(length) => {
                self.log.push(3);
                self.log.extend_from_slice(&length.to_le_bytes());
            }
        }
        self.log.extend(flags.iter().map(|&flag| u8::from(flag)));
    }

    fn fields_said(&mut self, fields: &Fields<'_>) {
        self.log.extend_from_slice(&fields.len().to_le_bytes());
        self.log.extend_from_slice(&fields.counted().to_le_bytes());
        fields.pack_into(&mut self.log);
    }
}
