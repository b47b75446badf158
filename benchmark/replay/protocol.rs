//! The protocol alone: `crates/proto`, without sockets.

use std::hint::black_box;
use std::io;

use http_native_proto::{Config, Connection, Event, OutFraming, Role};

use super::wire::{
    ANSWER_BODY, ANSWER_HEAD, ANSWER_LINES, CLIENT_GET, CLIENT_GET_LINES, GET, TWENTY_FIELDS,
    answer, chunked, post,
};
use super::{Exchange, Scene};

pub(crate) const SCENES: &[Scene] = &[
    ("proto: GET", || server(GET.to_vec())),
    ("proto: GET of 20 fields", || server(TWENTY_FIELDS.to_vec())),
    ("proto: POST 10 KB", || server(post())),
    ("proto: POST of 64 chunks", || server(chunked())),
    ("proto: client's GET", client),
];

/// Hears all of the input, as far as anything more is to be told of it.
fn hear(connection: &mut Connection, mut input: &[u8], told: &mut Vec<u8>) {
    told.clear();
    loop {
        match connection.next_event(&mut input) {
            Ok(Event::NeedData | Event::Held) | Err(_) => break,
            Ok(Event::Request(head)) => {
                told.extend_from_slice(head.target);
                head.fields.pack_into(told);
            }
            Ok(Event::Response(head)) => head.fields.pack_into(told),
            Ok(event) => {
                black_box(event);
            }
        }
    }
    black_box(&told);
}

/// Says a whole message.
fn say(connection: &mut Connection, head: &[u8], lines: u32, body: &[u8], said: &mut Vec<u8>) {
    said.clear();
    let framing = match body.len() {
        0 => OutFraming::None,
        length => OutFraming::Length(length as u64),
    };
    let is_sent = connection.send_head(head, lines, framing, said).is_ok();
    if connection.begin_data(body.len(), said) {
        said.extend_from_slice(body);
        connection.finish_data(said);
    }
    let is_ended = connection.send_end(b"", 0, false, said).is_ok();
    assert!(is_sent && is_ended);
    black_box(&said);
}

fn server(request: Vec<u8>) -> io::Result<Exchange> {
    let mut connection = Connection::new(Role::Server, Config::default());
    let (mut told, mut said) = (Vec::new(), Vec::new());
    Ok(Box::new(move || {
        hear(&mut connection, black_box(&request), &mut told);
        assert_eq!(connection.outstanding(), 1);
        say(
            &mut connection,
            ANSWER_HEAD,
            ANSWER_LINES,
            ANSWER_BODY,
            &mut said,
        );
    }))
}

fn client() -> io::Result<Exchange> {
    let mut connection = Connection::new(Role::Client, Config::default());
    let answer = answer();
    let (mut told, mut said) = (Vec::new(), Vec::new());
    Ok(Box::new(move || {
        connection.expect_response(false, false);
        say(
            &mut connection,
            CLIENT_GET,
            CLIENT_GET_LINES,
            b"",
            &mut said,
        );
        hear(&mut connection, black_box(&answer), &mut told);
        assert!(connection.is_idle());
    }))
}
