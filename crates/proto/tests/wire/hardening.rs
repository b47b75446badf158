//! What core lets through although the RFCs forbid it: refused, or let through as without hardening, and noted.

use http_native_proto::{Config, Connection, Event, Hardening, Role, Row};

use crate::support::trace::{Case, parse, trace};

/// The row that a case is in; the case, as `examples/trace.rs` has them.
const REFUSED: &[(&str, &str)] = &[
    ("bare-line-end", r"server : \nGET\s/\sHTTP/1.1\r\n\r\n"),
    ("bare-line-end", r"server : \r\r\nGET\s/\sHTTP/1.1\r\n\r\n"),
    ("bare-line-end", r"server : \rGET\s/\sHTTP/1.1\r\n\r\n"),
    (
        "empty-lines",
        r"server : \r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET\s/\sHTTP/1.1\r\n\r\n",
    ),
    (
        "request-line-spaces",
        r"server : GET\s\s/\sHTTP/1.1\r\n\r\n",
    ),
    (
        "request-line-spaces",
        r"server : GET\s/\s\sHTTP/1.1\r\n\r\n",
    ),
    ("method-unknown", r"server : get\s/\sHTTP/1.1\r\n\r\n"),
    ("method-unknown", r"server : FOO\s/\sHTTP/1.1\r\n\r\n"),
    ("method-unknown", r"server : GE\s/\sHTTP/1.1\r\n\r\n"),
    ("method-unknown", r"server : GETS\s/\sHTTP/1.1\r\n\r\n"),
    ("method-unknown", r"server : !#$\s/\sHTTP/1.1\r\n\r\n"),
    (
        "target-too-long",
        r"server size=20 : GET\s/23456789012345678901\sHTTP/1.1\r\n\r\n",
    ),
    ("target-fragment", r"server : GET\s/a#b\sHTTP/1.1\r\n\r\n"),
    ("target-byte", r"server : GET\s/a|b\sHTTP/1.1\r\n\r\n"),
    ("target-byte", r#"server : GET\s/?"\sHTTP/1.1\r\n\r\n"#),
    ("target-asterisk", r"server : GET\s*\sHTTP/1.1\r\n\r\n"),
    ("target-asterisk", r"server : OPTIONS\s*a\sHTTP/1.1\r\n\r\n"),
    ("version-missing", r"server : GET\s/\r\n\r\n"),
    ("version-missing", r"server : GET\s/\nA:\sb\r\n\r\n"),
    ("version-other", r"server : GET\s/\sHTTP/0.9\r\n\r\n"),
    ("version-other", r"server : GET\s/\sHTTP/1.2\r\n\r\n"),
    ("version-other", r"server : GET\s/\sHTTP/2.0\r\n\r\n"),
    ("protocol-other", r"server : SOURCE\s/\sICE/1.0\r\n\r\n"),
    ("protocol-other", r"server : OPTIONS\s/\sRTSP/1.0\r\n\r\n"),
    (
        "host-repeated",
        r"server : GET\s/\sHTTP/1.1\r\nHost:\sa\r\nHost:\sb\r\n\r\n",
    ),
    (
        "host-repeated",
        r"server : GET\s/\sHTTP/1.1\r\nHost:\sa\r\nhost:\sa\r\n\r\n",
    ),
    (
        "host-invalid",
        r"server : GET\s/\sHTTP/1.1\r\nHost:\sa\sb\r\n\r\n",
    ),
    (
        "host-invalid",
        r"server : GET\s/\sHTTP/1.1\r\nHost:\sa,b\r\n\r\n",
    ),
    (
        "host-invalid",
        r"server : GET\s/\sHTTP/1.1\r\nHost:\s\xe9\r\n\r\n",
    ),
    (
        "field-spaces",
        r"server size=20 : GET\s/\sHTTP/1.1\r\nA:\s\s\s\s\s\s\s\s\s\s\s\s\s\s\s\s\s\s\s\s\s\sb\r\n\r\n",
    ),
    (
        "expect-inexact",
        r"server : GET\s/\sHTTP/1.1\r\nExpect:\sx-100-continue\r\n\r\n",
    ),
    (
        "expect-inexact",
        r"server : GET\s/\sHTTP/1.1\r\nExpect:\s100-continue,\sa\r\n\r\n",
    ),
    (
        "coding-unknown",
        r"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\sgzip,\schunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "coding-unknown",
        r"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\scow\r\nTransfer-Encoding:\schunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "coding-not-chunked",
        r"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\scow\r\n\r\n",
    ),
    (
        "coding-in-1.0",
        r"server : POST\s/\sHTTP/1.0\r\nTransfer-Encoding:\schunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "length-huge",
        r"server : POST\s/\sHTTP/1.1\r\nContent-Length:\s9007199254740992\r\n\r\n",
    ),
    (
        "trace-body",
        r"server : TRACE\s/\sHTTP/1.1\r\nContent-Length:\s1\r\n\r\na",
    ),
    (
        "chunk-huge",
        r"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\schunked\r\n\r\n20000000000000\r\n",
    ),
    (
        "chunk-size-digits",
        r"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\schunked\r\n\r\n00000000000000000\r\n\r\n",
    ),
    (
        "chunk-extension-empty",
        r"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\schunked\r\n\r\n1;=b\r\na\r\n0\r\n\r\n",
    ),
    (
        "chunk-extension-empty",
        r"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\schunked\r\n\r\n1;a=\r\na\r\n0\r\n\r\n",
    ),
    (
        "chunk-extension-empty",
        r"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\schunked\r\n\r\n1;;a\r\na\r\n0\r\n\r\n",
    ),
    (
        "trailer-field",
        r"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\schunked\r\n\r\n0\r\nConnection:\sclose\r\n\r\n",
    ),
    ("bare-line-end", r"client : \nHTTP/1.1\s204\sNo\r\n\r\n"),
    ("version-other", r"client : HTTP/2.0\s204\sNo\r\n\r\n"),
    ("version-other", r"client : HTTP/0.9\s204\sNo\r\n\r\n"),
    ("protocol-other", r"client : ICE/1.0\s204\sNo\r\n\r\n"),
    ("reason-control", r"client : HTTP/1.1\s204\sN\x01o\r\n\r\n"),
    ("reason-control", r"client : HTTP/1.1\s204\sN\x00o\r\n\r\n"),
    (
        "status-range",
        r"client : HTTP/1.1\s099\sNo\r\nContent-Length:\s0\r\n\r\n",
    ),
    (
        "status-range",
        r"client : HTTP/1.1\s600\sNo\r\nContent-Length:\s0\r\n\r\n",
    ),
    (
        "coding-unknown",
        r"client : HTTP/1.1\s200\sOK\r\nTransfer-Encoding:\schunked,\schunked\r\n\r\n0\r\n\r\n",
    ),
    ("body-unframed", r"client : HTTP/1.1\s200\sOK\r\n\r\na"),
    ("switch-unnamed", r"client : HTTP/1.1\s101\sOK\r\n\r\n"),
    (
        "trailer-field",
        r"client : HTTP/1.1\s200\sOK\r\nTransfer-Encoding:\schunked\r\n\r\n0\r\nHost:\sa\r\n\r\n",
    ),
];

/// What is let through in strict mode, too, but read otherwise: row, case, what is made of it.
const OVERLOOKED: &[(&str, &str, &str)] = &[
    (
        "proxy-connection",
        r"server : GET\s/\sHTTP/1.1\r\nProxy-Connection:\sclose\r\n\r\n",
        r#"head 1.1 GET "/" keep up- [Proxy-Connection: close]; end"#,
    ),
    (
        "after-close",
        r"server : GET\s/\sHTTP/1.1\r\nConnection:\sclose\r\n\r\nx",
        r#"head 1.1 GET "/" close up- [Connection: close]; end"#,
    ),
];

/// What no row has.
const ORDINARY: &[&str] = &[
    r"server : \r\nGET\s/a?b[c]=d&e=%20\sHTTP/1.1\r\nHost:\s[::1]:80\r\nExpect:\s100-Continue\r\n\r\n",
    r"server : OPTIONS\s*\sHTTP/1.1\r\nHost:\r\n\r\n",
    r"server : GET\shttp://a/b\sHTTP/1.0\r\n\r\n",
    r"server : CONNECT\sa:80\sHTTP/1.1\r\nHost:\sa:80\r\n\r\n",
    r#"server : POST\s/\sHTTP/1.1\r\nTransfer-Encoding:\sChunked\r\n\r\n01;a=b;c="\\"";d\r\na\r\n0\r\nA:\sb\r\n\r\n"#,
    r"client : HTTP/1.1\s103\sEarly\r\n\r\nHTTP/1.1\s200\sOK\r\nContent-Length:\s1\r\n\r\na",
    r"client eof : HTTP/1.0\s200\sOK\r\n\r\na",
    r"client head : HTTP/1.1\s200\sOK\r\n\r\n",
];

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
