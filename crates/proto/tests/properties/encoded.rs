//! What one connection sends and another receives: the same messages; and of blocks that are no heads, none is sent.

use http_native_proto::{
    BodyFraming, Config, Connection, Event, Fields, Leniency, METHODS, Method, OutFraming, Role,
};

use super::input::Cuts;

/// The bytes that decide what is sent. 0 when there are no more.
struct Source<'d>(&'d [u8]);

impl<'d> Source<'d> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                byte
            }
            None => 0,
        }
    }

    fn bytes(&mut self, len: usize) -> &'d [u8] {
        let (bytes, rest) = self.0.split_at(self.0.len().min(len));
        self.0 = rest;
        bytes
    }

    /// A few bytes, each made one that may stand there.
    fn text(&mut self, allowed: impl Fn(u8) -> u8) -> Vec<u8> {
        let len = self.byte() & 31;
        let bytes = self.bytes(usize::from(len));
        bytes.iter().map(|&byte| allowed(byte)).collect()
    }

    fn name(&mut self) -> Vec<u8> {
        const TOKEN: &[u8] =
            b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let rest = self.text(|byte| TOKEN[usize::from(byte) % TOKEN.len()]);
        // None that means anything begins so.
        [b"x-".as_slice(), &rest].concat()
    }

    /// Without white space around it.
    fn value(&mut self) -> Vec<u8> {
        let text = self.text(|byte| match byte {
            b'\t' | b' '..=b'~' | 0x80.. => byte,
            byte => b'A' + (byte & 15),
        });
        text.trim_ascii().to_vec()
    }

    fn fields(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let count = self.byte() & 3;
        (0..count).map(|_| (self.name(), self.value())).collect()
    }
}

/// A message, as it is sent and as it arrives.
#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    /// Method or status.
    code: u16,
    /// Target or reason.
    start: Vec<u8>,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    trailers: Vec<(Vec<u8>, Vec<u8>)>,
    is_whole: bool,
}

fn lines(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in fields {
        for part in [name.as_slice(), b": ", value, b"\r\n"] {
            lines.extend_from_slice(part);
        }
    }
    lines
}

fn listed(fields: &Fields<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    fields
        .iter()
        .map(|(name, value)| (name.to_vec(), value.to_vec()))
        .collect()
}

pub(super) fn arrives(data: &[u8]) {
    let mut source = Source(data);
    let kind = source.byte();
    let role = match kind & 1 {
        0 => Role::Client,
        _ => Role::Server,
    };
    if kind & 2 == 0 {
        messages(role, kind, &mut source);
    } else {
        blocks(role, kind, &mut source);
    }
}

struct Sender {
    connection: Connection,
    /// What receives it.
    peer: Connection,
    wire: Vec<u8>,
    sent: Vec<Message>,
}

fn messages(role: Role, kind: u8, source: &mut Source<'_>) {
    let config = Config {
        llhttp_93: kind & 4 != 0,
        ..Config::default()
    };
    let peer = match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    };
    let mut sender = Sender {
        connection: Connection::new(role, config),
        peer: Connection::new(peer, config),
        wire: Vec::new(),
        sent: Vec::new(),
    };
    let cuts = source.byte();
    let count = 1 + (kind >> 3 & 3);
    for place in 0..count {
        let is_last = place + 1 == count && kind & 0x40 != 0;
        sender.message(role, is_last, source);
    }
    let got = receive(&mut sender.peer, Cuts::new(cuts).of(&sender.wire));
    assert_eq!(got, sender.sent, "another message arrives");
}

impl Sender {
    fn message(&mut self, role: Role, is_last: bool, source: &mut Source<'_>) {
        let how = source.byte();
        let mut message = Message {
            is_whole: true,
            ..Message::default()
        };
        let mut head = Vec::new();
        let mut is_head = false;
        match role {
            Role::Client => {
                // Without CONNECT, and the methods of RTSP and of HTTP/2's preface.
                let method = Method::from_number(source.byte() % 34)
                    .filter(|&method| method != Method::CONNECT)
                    .unwrap_or(Method::GET);
                let method = match METHODS[usize::from(method.number())] {
                    "PRI" | "SOURCE" => Method::GET,
                    _ => method,
                };
                message.code = u16::from(method.number());
                let rest = source.text(|byte| b'!' + byte % 94);
                message.start = [b"/".as_slice(), &rest].concat();
                head.extend_from_slice(method.as_str().as_bytes());
                head.push(b' ');
                head.extend_from_slice(&message.start);
                head.extend_from_slice(b" HTTP/1.1\r\n");
            }
            Role::Server => {
                self.interim(how, source);
                is_head = how & 0x40 != 0;
                message.code = 200 + u16::from(source.byte());
                if matches!(message.code, 204 | 304) {
                    is_head = true;
                }
                message.start = source.value();
                head = format!("HTTP/1.1 {} ", message.code).into_bytes();
                head.extend_from_slice(&message.start);
                head.extend_from_slice(b"\r\n");
                self.peer.expect_response(is_head, false);
            }
        }
        message.fields = source.fields();
        let pieces: Vec<_> = (0..how >> 2 & 3)
            .map(|_| {
                let len = source.byte();
                source.bytes(usize::from(len))
            })
            .collect();
        message.body = pieces.concat();
        let mut framing = match how & 3 {
            0 if role == Role::Client => OutFraming::None,
            1 if role == Role::Server && is_last && !is_head => OutFraming::UntilClose,
            0 | 1 => OutFraming::Length(message.body.len() as u64),
            _ => OutFraming::Chunked,
        };
        match framing {
            OutFraming::Length(length) => {
                let value = length.to_string().into_bytes();
                message.fields.push((b"Content-Length".to_vec(), value));
            }
            OutFraming::Chunked => {
                let value = b"chunked".to_vec();
                message.fields.push((b"Transfer-Encoding".to_vec(), value));
                message.trailers = source.fields();
            }
            _ => {}
        }
        if is_last {
            message
                .fields
                .push((b"Connection".to_vec(), b"close".to_vec()));
        }
        if is_head {
            framing = OutFraming::None;
        }
        head.extend_from_slice(&lines(&message.fields));
        head.extend_from_slice(b"\r\n");
        if role == Role::Client {
            self.connection.expect_response(false, false);
        }
        let count = 2 + message.fields.len() as u32;
        let (connection, wire) = (&mut self.connection, &mut self.wire);
        let sent = connection.send_head(&head, count, framing, wire);
        assert_eq!(sent, Ok(()), "a good head");
        for piece in pieces {
            if connection.begin_data(piece.len(), wire) {
                wire.extend_from_slice(piece);
                connection.finish_data(wire);
            }
        }
        let trailers = lines(&message.trailers);
        let count = message.trailers.len() as u32;
        let sent = connection.send_end(&trailers, count, is_last, wire);
        assert_eq!(sent, Ok(()), "good trailers");
        if framing == OutFraming::None {
            message.body.clear();
        }
        if framing != OutFraming::Chunked {
            message.trailers.clear();
        }
        self.sent.push(message);
    }

    /// An informational response before the final one.
    fn interim(&mut self, how: u8, source: &mut Source<'_>) {
        if how & 0x30 != 0x30 {
            return;
        }
        let fields = source.fields();
        let head = [
            b"HTTP/1.1 103 Early Hints\r\n",
            lines(&fields).as_slice(),
            b"\r\n",
        ]
        .concat();
        let count = 2 + fields.len() as u32;
        let sent = self
            .connection
            .send_informational(&head, count, &mut self.wire);
        assert_eq!(sent, Ok(()), "a good informational head");
        self.sent.push(Message {
            code: 103,
            start: b"Early Hints".to_vec(),
            fields,
            is_whole: true,
            ..Message::default()
        });
    }
}

/// The messages that arrive, to the end of the connection.
fn receive<'w>(peer: &mut Connection, packets: impl Iterator<Item = &'w [u8]>) -> Vec<Message> {
    let mut got: Vec<Message> = Vec::new();
    for packet in packets {
        let mut input = packet;
        loop {
            let event = peer.next_event(&mut input).expect("what was sent is good");
            let (code, start, fields, body) = match event {
                Event::NeedData => break,
                Event::Request(head) => {
                    let code = u16::from(head.method.number());
                    (code, head.target, head.fields, head.body)
                }
                Event::Response(head) => (head.status, head.reason, head.fields, head.body),
                Event::Data(data) => {
                    let message = got.last_mut().expect("a head before data");
                    message.body.extend_from_slice(data);
                    continue;
                }
                Event::End(trailers) => {
                    let message = got.last_mut().expect("a head before an end");
                    message.trailers = listed(&trailers);
                    message.is_whole = true;
                    continue;
                }
                event => panic!("{event:?}"),
            };
            got.push(Message {
                code,
                start: start.to_vec(),
                fields: listed(&fields),
                is_whole: body == BodyFraming::None,
                ..Message::default()
            });
        }
    }
    if let Ok(Event::End(_)) = peer.end_of_input() {
        let message = got.last_mut().expect("a head before an end");
        message.is_whole = true;
    }
    got
}

/// True if a block is `lines` lines, as it should: each ends with CRLF, and no CR or LF is elsewhere; a head has one line or
/// more, and then an empty one, trailers have none that is empty.
fn is_block(block: &[u8], lines: u32, is_head: bool) -> bool {
    let text: Vec<_> = block.iter().map(|&byte| char::from(byte)).collect();
    let text: String = text.into_iter().collect();
    let mut parts: Vec<_> = text.split("\r\n").collect();
    // Behind the last CRLF.
    let is_ended = parts.pop() == Some("");
    let is_counted = parts.len() == lines as usize;
    let is_headed = !is_head || (parts.pop() == Some("") && !parts.is_empty());
    is_ended
        && is_counted
        && is_headed
        && parts
            .iter()
            .all(|part| !part.is_empty() && !part.contains(['\r', '\n']))
}

/// Sends what may be no block, and has a peer read what was sent: it reads no more than one head.
fn blocks(role: Role, kind: u8, source: &mut Source<'_>) {
    let is_head = kind & 4 != 0;
    let leniency = u16::from(source.byte()) | u16::from(kind >> 5) << 8;
    // Node: with this one a line of white space ends a head.
    let leniency = Leniency(leniency & !Leniency::HEADERS.0);
    let mut lines = u32::from(source.byte());
    let block = source.0;
    // Mostly the right number.
    if lines >= 64 {
        lines = block.iter().filter(|&&byte| byte == b'\n').count() as u32;
    }
    let mut connection = Connection::new(role, Config::default());
    let mut wire = Vec::new();
    let start: &[u8] = match role {
        Role::Client => b"GET / HTTP/1.1\r\n",
        Role::Server => b"HTTP/1.1 200 OK\r\n",
    };
    let sent = if is_head {
        connection.send_head(block, lines, OutFraming::None, &mut wire)
    } else {
        let head = [start, b"Transfer-Encoding: chunked\r\n\r\n"].concat();
        let sent = connection.send_head(&head, 3, OutFraming::Chunked, &mut wire);
        assert_eq!(sent, Ok(()));
        connection.send_end(block, lines, false, &mut wire)
    };
    assert_eq!(sent.is_ok(), is_block(block, lines, is_head), "no block");
    if sent.is_err() {
        return;
    }
    let (peer, config) = match role {
        Role::Client => (
            Role::Server,
            Config {
                leniency,
                ..Config::default()
            },
        ),
        Role::Server => (
            Role::Client,
            Config {
                leniency,
                ..Config::default()
            },
        ),
    };
    let mut peer = Connection::new(peer, config);
    for _ in 0..4 {
        peer.expect_response(false, false);
    }
    let mut input = wire.as_slice();
    let mut heads = 0;
    loop {
        match peer.next_event(&mut input) {
            Ok(Event::NeedData | Event::Held) | Err(_) => break,
            Ok(Event::Request(_) | Event::Response(_)) => {
                heads += 1;
                assert!(!is_head || input.is_empty(), "a head ends within the block");
            }
            Ok(Event::End(_)) => assert!(input.is_empty(), "trailers end within the block"),
            Ok(_) => {}
        }
    }
    assert!(heads <= 1, "two heads out of one block");
}
