//! What core lets through although the RFCs forbid it: refused, or let through as without hardening, and noted.

use http_native_proto::{Config, Connection, Event, Hardening, Role, Row};

use crate::forbidden::{ORDINARY, OVERLOOKED, REFUSED};
use crate::support::case::{Case, parse};
use crate::support::trace::trace;

/// The case as it is, byte by byte, and both through the reference machine.
fn ways(case: &Case) -> Vec<Case> {
    let bytes = case.packets.concat().into_iter().map(|byte| vec![byte]);
    let pieces = Case {
        packets: bytes.collect(),
        ..case.clone()
    };
    let whole = [case.clone(), pieces];
    let reference = whole.clone().map(|case| Case {
        reference: true,
        ..case
    });
    whole.into_iter().chain(reference).collect()
}

fn with(case: &Case, hardening: Hardening) -> String {
    let mut case = case.clone();
    case.config.hardening = hardening;
    trace(&case)
}

#[test]
fn what_is_forbidden_is_refused_by_name() {
    for (row, text) in REFUSED {
        for case in ways(&parse(text)) {
            let said = with(&case, Hardening::Strict);
            let (_, error) = said.rsplit_once("error ").unwrap_or_default();
            assert!(error.contains(&format!(" \"{row}\" @")), "{text}: {said}");
            assert!(!said.contains("noted"), "{text}: {said}");
        }
    }
}

#[test]
fn what_is_forbidden_is_let_through_and_noted() {
    let overlooked = OVERLOOKED.iter().map(|(row, text, _)| (row, text));
    let refused = REFUSED.iter().map(|(row, text)| (row, text));
    for (row, text) in refused.chain(overlooked) {
        for case in ways(&parse(text)) {
            let off = with(&case, Hardening::Off);
            assert!(!off.contains(row), "{text}: {off}");
            let audit = with(&case, Hardening::Audit);
            assert_eq!(audit, format!("{off}; noted {row}"), "{text}");
        }
    }
}

#[test]
fn what_need_not_be_refused_is_read_otherwise() {
    for (row, text, want) in OVERLOOKED {
        for case in ways(&parse(text)) {
            let said = with(&case, Hardening::Strict);
            assert_eq!(said, format!("{want}; noted {row}"), "{text}");
        }
    }
}

#[test]
fn what_is_allowed_is_read_as_ever() {
    for text in ORDINARY {
        for case in ways(&parse(text)) {
            let off = with(&case, Hardening::Off);
            assert!(!off.contains("error"), "{text}: {off}");
            assert_eq!(with(&case, Hardening::Strict), off, "{text}");
            assert_eq!(with(&case, Hardening::Audit), off, "{text}");
        }
    }
}

/// A message of so many chunks, each with so many bytes of extensions.
fn chunks(count: usize, extensions: usize, data: usize) -> Vec<u8> {
    let mut wire = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..count {
        let line = format!("{data:x};{}\r\n", "a".repeat(extensions));
        wire.extend_from_slice(line.as_bytes());
        wire.resize(wire.len() + data, b'.');
        wire.extend_from_slice(b"\r\n");
    }
    wire.extend_from_slice(b"0\r\n\r\n");
    wire
}

#[test]
fn extensions_are_bounded_by_the_data() {
    let mut case = parse("server : ");
    case.packets = vec![chunks(20, 1000, 1)];
    let strict = with(&case, Hardening::Strict);
    assert!(strict.contains("\"chunk-extensions\" @"), "{strict}");
    let audit = with(&case, Hardening::Audit);
    assert!(audit.ends_with("; end; noted chunk-extensions"), "{audit}");
    case.packets = vec![chunks(100, 1000, 1000)];
    assert!(with(&case, Hardening::Strict).ends_with("; end"));
}

#[test]
fn a_row_is_noted_once_in_each_body() {
    let body = r"POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\schunked\r\n\r\n1;;;a=\r\na\r\n1;=b\r\na\r\n0\r\n\r\n";
    let text = format!("server : {body}{body}");
    for case in ways(&parse(&text)) {
        let audit = with(&case, Hardening::Audit);
        let noted = "; noted chunk-extension-empty chunk-extension-empty";
        assert!(audit.ends_with(noted), "{audit}");
    }
}

#[test]
fn interim_responses_are_bounded() {
    let final_one = b"HTTP/1.1 204 No\r\n\r\n".to_vec();
    let mut case = parse("client : ");
    case.packets = vec![b"HTTP/1.1 103 Early\r\n\r\n".repeat(33), final_one.clone()];
    let strict = with(&case, Hardening::Strict);
    assert!(strict.contains("\"interim-flood\" @"), "{strict}");
    assert!(with(&case, Hardening::Audit).ends_with("; noted interim-flood"));
    case.packets = vec![
        b"HTTP/1.1 103 Early\r\n\r\n".repeat(32),
        final_one.clone(),
        final_one,
    ];
    assert!(!with(&case, Hardening::Strict).contains("error"));
}

#[test]
fn bytes_without_a_request_are_no_answer() {
    for (wire, is_head) in [
        (&b"HTTP/1.1 204 No\r\n\r\n"[..], true),
        (b"garbage", false),
        (b"H", false),
    ] {
        for hardening in [Hardening::Off, Hardening::Strict, Hardening::Audit] {
            let config = Config {
                hardening,
                ..Config::default()
            };
            let mut client = Connection::new(Role::Client, config);
            client.expect_response(false, false);
            let mut input = &b"HTTP/1.1 204 No\r\n\r\n"[..];
            assert!(matches!(
                client.next_event(&mut input),
                Ok(Event::Response(_))
            ));
            let mut input = wire;
            let said = client.next_event(&mut input);
            if hardening == Hardening::Strict {
                assert_eq!(said.unwrap_err().row, Some(Row::Unasked));
            } else if is_head || wire.len() > 1 {
                assert_eq!(said.unwrap_err().row, None);
            } else {
                assert!(matches!(said, Ok(Event::NeedData)));
            }
            let noted: &[Row] = match hardening {
                Hardening::Audit => &[Row::Unasked],
                _ => &[],
            };
            assert_eq!(client.take_noted(), noted);
        }
    }
}
