//! What goes out: blocks that are what they claim to be, framed as their head says.

use http_native_proto::{Config, Connection, OutFraming, Role, SendError};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n";

fn server() -> Connection {
    Connection::new(Role::Server, Config::default())
}

/// What a message with this framing and this body looks like behind its head.
fn body(framing: OutFraming, pieces: &[&[u8]], trailers: &[u8], lines: u32) -> Vec<u8> {
    let mut server = server();
    let mut out = Vec::new();
    server
        .send_head(HEAD, 3, framing, &mut out)
        .expect("a good head");
    for piece in pieces {
        if server.begin_data(piece.len(), &mut out) {
            out.extend_from_slice(piece);
            server.finish_data(&mut out);
        }
    }
    server
        .send_end(trailers, lines, false, &mut out)
        .expect("good trailers");
    out.split_off(HEAD.len())
}

#[test]
fn bodies_are_framed() {
    let pieces: &[&[u8]] = &[b"hello", b"", b"0123456789abcdef"];
    let plain = b"hello0123456789abcdef";
    assert_eq!(body(OutFraming::Length(21), pieces, b"", 0), plain);
    assert_eq!(body(OutFraming::UntilClose, pieces, b"", 0), plain);
    assert_eq!(body(OutFraming::None, pieces, b"", 0), b"");
    assert_eq!(
        body(OutFraming::Chunked, pieces, b"", 0),
        b"5\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"
    );
}

#[test]
fn trailers_need_chunks() {
    let trailers = b"A: b\r\nC: d\r\n";
    assert_eq!(
        body(OutFraming::Chunked, &[], trailers, 2),
        b"0\r\nA: b\r\nC: d\r\n\r\n"
    );
    assert_eq!(body(OutFraming::Length(0), &[], trailers, 2), b"");
}

#[test]
fn chunk_sizes_are_lower_case_and_not_padded() {
    for (len, line) in [(1, "1"), (10, "a"), (255, "ff"), (4096, "1000")] {
        let framed = body(OutFraming::Chunked, &[&vec![b'x'; len]], b"", 0);
        assert!(
            framed.starts_with(format!("{line}\r\nx").as_bytes()),
            "{len}"
        );
    }
}

#[test]
fn heads_that_could_be_split_are_refused() {
    let bad: &[(&[u8], u32)] = &[
        (b"", 0),
        (b"\r\n", 1),
        (b"HTTP/1.1 200 OK\r\n", 1),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n", 2),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", 2),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", 4),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nx", 3),
        (b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", 3),
        (b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\n\r\n", 4),
        (b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n", 3),
        (b"HTTP/1.1 200 OK\r\nA: b\r\r\n\r\n", 3),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\n\r\n", 4),
        (b"HTTP/1.1 200 OK\r\n\r\nA: b\r\n\r\n", 4),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n\r\n", 4),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", 3),
        (b"HTTP/1.1 200 OK\n\n", 2),
        (b"HTTP/1.1 200 OK\r\r", 2),
    ];
    for &(head, lines) in bad {
        let mut server = server();
        let mut out = b"before".to_vec();
        let text = String::from_utf8_lossy(head);
        let framing = OutFraming::None;
        let sent = server.send_head(head, lines, framing, &mut out);
        assert_eq!(sent, Err(SendError::BadBlock), "{text:?}");
        let sent = server.send_informational(head, lines, &mut out);
        assert_eq!(sent, Err(SendError::BadBlock), "{text:?}");
        assert_eq!(out, b"before", "{text:?}");
        // Nothing has changed.
        assert!(server.send_head(HEAD, 3, framing, &mut out).is_ok());
    }
}

#[test]
fn trailers_that_could_be_split_are_refused() {
    let bad: &[(&[u8], u32)] = &[
        (b"A: b", 0),
        (b"A: b\r\n", 0),
        (b"A: b\r\n", 2),
        (b"A: b\r\n\r\n", 2),
        (b"\r\n", 1),
        (b"A: b\nC: d\r\n", 1),
        (b"A: b\rC: d\r\n", 1),
    ];
    for &(trailers, lines) in bad {
        let mut server = server();
        let mut out = Vec::new();
        let sent = server.send_head(HEAD, 3, OutFraming::Chunked, &mut out);
        assert_eq!(sent, Ok(()));
        let before = out.len();
        let sent = server.send_end(trailers, lines, false, &mut out);
        let text = String::from_utf8_lossy(trailers);
        assert_eq!(sent, Err(SendError::BadBlock), "{text:?}");
        assert_eq!(out.len(), before);
        assert!(server.send_end(b"", 0, false, &mut out).is_ok());
    }
}

#[test]
fn a_head_waits_for_the_message_before_it() {
    let mut server = server();
    let mut out = Vec::new();
    let out_of_order = Err(SendError::OutOfOrder);
    assert_eq!(server.send_end(b"", 0, false, &mut out), out_of_order);
    assert!(!server.begin_data(1, &mut out));
    let head = server.send_informational(b"HTTP/1.1 100 Continue\r\n\r\n", 2, &mut out);
    assert_eq!(head, Ok(()));
    let framing = OutFraming::Length(1);
    assert_eq!(server.send_head(HEAD, 3, framing, &mut out), Ok(()));
    assert_eq!(server.send_head(HEAD, 3, framing, &mut out), out_of_order);
    assert_eq!(server.send_informational(HEAD, 3, &mut out), out_of_order);
    assert_eq!(server.send_end(b"", 0, true, &mut out), Ok(()));
    let over = Err(SendError::Over);
    assert_eq!(server.send_head(HEAD, 3, framing, &mut out), over);
    assert_eq!(server.send_informational(HEAD, 3, &mut out), over);
    assert_eq!(server.send_end(b"", 0, false, &mut out), over);
    assert_eq!(
        out,
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\n\r\n"
    );
}

#[test]
fn a_block_of_hundreds_of_lines_is_counted_whole() {
    // More CRs than one byte can count, next to each other and apart.
    for value in ["", "a value"] {
        let fields = format!("A: {value}\r\n").repeat(700);
        let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        let stray = head.replacen("A: ", "A: \r", 1);
        for (text, lines, is_good) in [
            (&head, 702, true),
            (&head, 701, false),
            (&stray, 702, false),
        ] {
            let mut server = Connection::new(Role::Server, Config::default());
            let mut out = Vec::new();
            let sent = server.send_head(text.as_bytes(), lines, OutFraming::Length(0), &mut out);
            assert_eq!(sent.is_ok(), is_good);
            assert_eq!(out.is_empty(), !is_good);
        }
    }
}
