//! What a connection remembers between its two directions: what waits for what, and whether it can
//! go on.

use http_native_proto::{
    BodyFraming, CloseReason, Config, Connection, ErrorKind, Event, OutFraming, Role, SendError,
    Surplus,
};

const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

fn server() -> Connection {
    Connection::new(Role::Server, Config::default())
}

fn client() -> Connection {
    Connection::new(Role::Client, Config::default())
}

/// Feeds a packet up to its end and gives the number of events before `NeedData`.
fn feed(connection: &mut Connection, packet: &[u8]) -> usize {
    let mut input = packet;
    let mut count = 0;
    loop {
        match connection.next_event(&mut input) {
            Ok(Event::NeedData | Event::Held) => return count,
            Ok(_) => count += 1,
            Err(error) => panic!("{error}"),
        }
    }
}

fn fails(connection: &mut Connection, packet: &[u8]) -> (ErrorKind, usize) {
    let mut input = packet;
    loop {
        match connection.next_event(&mut input) {
            Ok(Event::NeedData | Event::Held) => panic!("no error"),
            Ok(_) => {}
            Err(error) => return (error.kind, error.offset),
        }
    }
}

fn answer(server: &mut Connection, last: bool) {
    let mut out = Vec::new();
    let head = b"HTTP/1.1 200 OK\r\n\r\n";
    let sent = server.send_head(head, 2, OutFraming::None, &mut out);
    assert_eq!(sent, Ok(()));
    assert_eq!(server.send_end(b"", 0, last, &mut out), Ok(()));
}

#[test]
fn a_server_counts_requests_until_they_are_answered() {
    let mut server = server();
    assert!(server.is_idle() && !server.receiving());
    assert_eq!(feed(&mut server, b"\r\n"), 0);
    assert!(
        server.is_idle() && !server.receiving(),
        "an empty line is nothing"
    );
    feed(&mut server, b"GE");
    assert!(!server.is_idle() && server.receiving());
    feed(&mut server, b"T / HTTP/1.1\r\n\r\n");
    assert!(!server.is_idle() && !server.receiving());
    assert_eq!(server.outstanding(), 1);
    assert_eq!(feed(&mut server, &GET.repeat(3)), 3);
    assert_eq!(server.outstanding(), 4);
    for left in (0..4).rev() {
        answer(&mut server, false);
        assert_eq!(server.outstanding(), left);
    }
    assert!(server.is_idle() && server.must_close().is_none());
}

#[test]
fn a_server_may_answer_before_the_body_has_come() {
    let mut server = server();
    feed(
        &mut server,
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\na",
    );
    answer(&mut server, false);
    assert!(server.receiving() && !server.is_idle());
    feed(&mut server, b"bc");
    assert!(server.is_idle());
}

#[test]
fn verdicts_name_their_reason() {
    let mut server = server();
    feed(&mut server, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    // Node: what the server says decides, not what the client asked for.
    assert_eq!(server.must_close(), None);
    answer(&mut server, true);
    assert_eq!(server.must_close(), Some(CloseReason::Last));

    let mut server = self::server();
    let mut out = Vec::new();
    feed(&mut server, GET);
    let head = b"HTTP/1.1 200 OK\r\n\r\n";
    let sent = server.send_head(head, 2, OutFraming::UntilClose, &mut out);
    assert_eq!(sent, Ok(()));
    assert_eq!(server.send_end(b"", 0, false, &mut out), Ok(()));
    assert_eq!(server.must_close(), Some(CloseReason::UntilClose));

    let mut server = self::server();
    assert!(matches!(server.end_of_input(), Ok(Event::NeedData)));
    assert_eq!(server.must_close(), Some(CloseReason::PeerClosed));

    let mut server = self::server();
    fails(&mut server, b"hello");
    assert_eq!(server.must_close(), Some(CloseReason::Failed));
}

#[test]
fn a_failed_connection_stays_failed() {
    let mut server = server();
    let first = fails(&mut server, b"GET / HTTP/1.1\r\n\r\nfoo");
    assert_eq!(first, (ErrorKind::InvalidMethod, 18));
    assert_eq!(fails(&mut server, GET), first);
    assert!(server.end_of_input().is_err());
}

#[test]
fn offsets_count_from_the_packet() {
    let mut server = server();
    feed(&mut server, b"GET / HTTP/1.1\r\nA: b");
    assert_eq!(
        fails(&mut server, b"c\x01"),
        (ErrorKind::InvalidHeaderValue, 1)
    );

    // A packet given up in the middle and followed by another needs to be told.
    let mut server = self::server();
    let mut input = GET;
    assert!(server.next_event(&mut input).is_ok());
    server.begin_packet();
    assert_eq!(fails(&mut server, b"foo"), (ErrorKind::InvalidMethod, 0));
}

#[test]
fn a_refused_coding_fails_behind_its_head_without_more_bytes() {
    let mut server = server();
    let mut input = &b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n"[..];
    let Ok(Event::Request(head)) = server.next_event(&mut input) else {
        panic!("the head is told first")
    };
    assert_eq!(head.body, BodyFraming::Chunked);
    let error = server.next_event(&mut input).expect_err("then it fails");
    assert_eq!(error.kind, ErrorKind::InvalidTransferEncoding);
    assert_eq!(error.offset, 44);
}

#[test]
fn fields_beyond_the_limit_are_refused_or_do_not_count() {
    let wire = b"GET / HTTP/1.1\r\nA: b\r\nC: d\r\nE: f\r\n\r\n";
    let config = Config {
        max_headers: 2,
        surplus: Surplus::Drop,
        ..Config::default()
    };
    let mut server = Connection::new(Role::Server, config);
    let mut input = &wire[..];
    let Ok(Event::Request(head)) = server.next_event(&mut input) else {
        panic!("taken, not refused")
    };
    assert_eq!(head.fields.counted(), 2);
    assert_eq!(head.fields.packed(), b"A\nb\nC\nd\nE\nf");

    let config = Config {
        surplus: Surplus::Refuse,
        ..config
    };
    let mut server = Connection::new(Role::Server, config);
    assert_eq!(fails(&mut server, wire).0, ErrorKind::HeaderOverflow);
    let mut server = Connection::new(
        Role::Server,
        Config {
            max_headers: 0,
            ..config
        },
    );
    assert_eq!(feed(&mut server, wire), 1);
}

#[test]
fn a_head_of_several_groups_is_cut() {
    let kept = |surplus, max_headers, fields: usize| {
        let config = Config {
            max_headers,
            surplus,
            ..Config::default()
        };
        let wire = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(fields));
        let mut server = Connection::new(Role::Server, config);
        let Ok(Event::Request(head)) = server.next_event(&mut wire.as_bytes()) else {
            panic!("taken, not refused")
        };
        assert_eq!(head.fields.iter().count(), head.fields.len() as usize);
        (head.fields.len(), head.fields.counted())
    };
    assert_eq!(kept(Surplus::Drop, 3, 31), (31, 3));
    assert_eq!(kept(Surplus::Drop, 3, 32), (3, 3));
    assert_eq!(kept(Surplus::Drop, 40, 63), (40, 40));
    assert_eq!(kept(Surplus::Drop, 31, 32), (31, 31));
    assert_eq!(kept(Surplus::DropGroups, 3, 31), (31, 3));
    assert_eq!(kept(Surplus::DropGroups, 3, 32), (31, 3));
    assert_eq!(kept(Surplus::DropGroups, 62, 63), (62, 62));
    assert_eq!(kept(Surplus::DropGroups, 63, 99), (93, 63));
}

#[test]
fn a_dropped_field_still_counts_for_framing() {
    // CVE-2026-58044: what is hidden from the application must not be hidden from the parser.
    let config = Config {
        max_headers: 1,
        surplus: Surplus::DropGroups,
        ..Config::default()
    };
    let mut server = Connection::new(Role::Server, config);
    let wire = b"POST / HTTP/1.1\r\nA: b\r\nContent-Length: 3\r\n\r\nabc";
    assert_eq!(feed(&mut server, wire), 3);
}

#[test]
fn a_switch_holds_until_it_is_decided() {
    let wire =
        b"POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: a\r\nContent-Length: 2\r\n\r\nhiGET";
    for decision in 0..3 {
        let mut server = server();
        let mut input = &wire[..];
        let Ok(Event::Request(head)) = server.next_event(&mut input) else {
            panic!("a request")
        };
        assert!(head.switch);
        assert_eq!(head.body, BodyFraming::Length(2));
        for _ in 0..2 {
            assert!(matches!(server.next_event(&mut input), Ok(Event::Held)));
        }
        assert_eq!(input, b"hiGET");
        match decision {
            0 => {
                server.accept_switch();
                assert!(matches!(
                    server.next_event(&mut input),
                    Ok(Event::Raw(b"hiGET"))
                ));
            }
            1 => {
                server.accept_switch_after_body();
                assert!(matches!(
                    server.next_event(&mut input),
                    Ok(Event::Data(b"hi"))
                ));
                assert!(!server.has_switched());
                assert!(matches!(server.next_event(&mut input), Ok(Event::End(_))));
                assert!(server.has_switched());
                assert!(matches!(
                    server.next_event(&mut input),
                    Ok(Event::Raw(b"GET"))
                ));
            }
            _ => {
                server.decline_switch();
                assert!(matches!(
                    server.next_event(&mut input),
                    Ok(Event::Data(b"hi"))
                ));
                assert!(matches!(server.next_event(&mut input), Ok(Event::End(_))));
                assert!(matches!(server.next_event(&mut input), Ok(Event::NeedData)));
                assert!(server.receiving());
                continue;
            }
        }
        assert!(matches!(server.next_event(&mut input), Ok(Event::NeedData)));
        assert_eq!(server.must_close(), Some(CloseReason::Switched));
        assert!(matches!(server.end_of_input(), Ok(Event::NeedData)));
    }
}

#[test]
fn a_client_expects_one_response_per_request() {
    let mut client = client();
    client.expect_response(false, false);
    assert_eq!(client.outstanding(), 1);
    feed(&mut client, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(client.outstanding(), 1);
    feed(&mut client, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n");
    assert_eq!((client.outstanding(), client.receiving()), (1, true));
    feed(&mut client, b"a");
    assert!(client.is_idle() && client.must_close().is_none());
    let wire = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let error = fails(&mut client, wire);
    assert_eq!(error, (ErrorKind::UnsolicitedResponse, wire.len()));
}

#[test]
fn a_client_remembers_what_it_asked() {
    let mut client = client();
    client.expect_response(true, false);
    client.expect_response(false, false);
    let wire = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    assert_eq!(feed(&mut client, wire), 4);
    assert!(client.is_idle());

    client.expect_response(false, true);
    let mut input = &b"HTTP/1.1 407 No\r\nContent-Length: 3\r\n\r\nabc"[..];
    let Ok(Event::Response(head)) = client.next_event(&mut input) else {
        panic!("a response")
    };
    // Node: the answer to CONNECT is a switch whatever it says.
    assert!(head.switch && head.body == BodyFraming::None);
    client.accept_switch();
    assert!(matches!(
        client.next_event(&mut input),
        Ok(Event::Raw(b"abc"))
    ));
}

#[test]
fn a_client_remembers_thirty_two_requests() {
    let mut client = client();
    for _ in 0..33 {
        client.expect_response(false, false);
    }
    let head = b"GET / HTTP/1.1\r\n\r\n";
    let mut out = Vec::new();
    let sent = client.send_head(head, 2, OutFraming::None, &mut out);
    assert_eq!(sent, Err(SendError::TooManyOutstanding));
}

#[test]
fn a_response_that_ends_with_the_connection_ends() {
    let mut client = client();
    client.expect_response(false, false);
    let mut input = &b"HTTP/1.1 200 OK\r\n\r\nabc"[..];
    let Ok(Event::Response(head)) = client.next_event(&mut input) else {
        panic!("a response")
    };
    assert!(!head.keep_alive && head.body == BodyFraming::UntilClose);
    assert!(matches!(
        client.next_event(&mut input),
        Ok(Event::Data(b"abc"))
    ));
    assert!(matches!(client.end_of_input(), Ok(Event::End(_))));
    assert_eq!(client.outstanding(), 0);
    assert_eq!(client.must_close(), Some(CloseReason::PeerRefused));
}

#[test]
fn a_body_is_not_copied() {
    let mut server = server();
    let wire = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello".to_vec();
    let mut input = wire.as_slice();
    assert!(server.next_event(&mut input).is_ok());
    let Ok(Event::Data(data)) = server.next_event(&mut input) else {
        panic!("data")
    };
    assert_eq!(data.as_ptr(), wire[wire.len() - 5..].as_ptr());
}

#[test]
fn endless_white_space_and_empty_lines_take_no_memory() {
    // What grows is bounded by the limit; what is not bounded does not grow.
    let mut server = server();
    for _ in 0..1000 {
        feed(&mut server, &b"\r\n".repeat(1000));
    }
    assert!(server.is_idle());
    feed(&mut server, b"GET / HTTP/1.1\r\nA:");
    for _ in 0..1000 {
        feed(&mut server, &b" ".repeat(1000));
    }
    assert_eq!(feed(&mut server, b"b\r\n\r\n"), 1);
}

#[test]
fn a_connection_is_small() {
    assert!(
        size_of::<Connection>() <= 300,
        "{}",
        size_of::<Connection>()
    );
}

#[test]
fn chunk_extensions_are_bounded_per_chunk() {
    const LIMIT: usize = 16 * 1024;
    let head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let extension = |len: usize| format!(";{}=\"{}\"", "a".repeat(10), "b".repeat(len - 12));
    // Node: CVE-2024-22019 is bounded per chunk; the sum is not.
    let mut server = server();
    feed(&mut server, head);
    for _ in 0..3 {
        feed(
            &mut server,
            format!("1{}\r\na\r\n", extension(LIMIT)).as_bytes(),
        );
    }
    let line = format!("1{}\r\na\r\n", extension(LIMIT + 1));
    // The closing quote is one too many.
    let error = (ErrorKind::ChunkExtensionsOverflow, line.len() - 5);
    assert_eq!(fails(&mut server, line.as_bytes()), error);

    let mut server = self::server();
    feed(&mut server, head);
    feed(&mut server, format!("1;{}", "a".repeat(LIMIT)).as_bytes());
    let error = (ErrorKind::ChunkExtensionsOverflow, 1);
    assert_eq!(fails(&mut server, b"a"), error);
}

#[test]
fn responses_before_a_switch_can_still_be_sent() {
    let mut server = server();
    let upgrade = b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: a\r\n\r\n";
    feed(&mut server, &[GET, upgrade].concat());
    assert_eq!(server.outstanding(), 2);
    server.accept_switch();
    assert_eq!(server.outstanding(), 1);
    answer(&mut server, false);
    assert_eq!(server.outstanding(), 0);
}

#[test]
fn a_response_that_went_out_by_another_way_makes_room_for_the_next() {
    let mut server = server();
    feed(&mut server, b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    assert_eq!(server.outstanding(), 2);
    server.answered();
    assert_eq!(server.outstanding(), 1);
    // One that began here, too.
    let mut out = Vec::new();
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let sent = server.send_head(head, 3, OutFraming::Chunked, &mut out);
    assert!(sent.is_ok());
    server.answered();
    assert_eq!(server.outstanding(), 0);
    assert!(server.is_idle());
}
