//! How long heads, chunks and answers take: `cargo bench -p http-native-proto`, with a piece of a name behind it for some of them.
//!
//! Times on one thread, good for comparing two versions of this crate on one machine. What a change costs in instructions,
//! `npm run bench:check` says.

use divan::{Bencher, black_box};
use http_native_proto::{Config, Connection, Event, OutFraming, Role};

const SMALL: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost:8080\r\n\r\n";

const TEN: &[u8] = b"GET /articles/2026/11?page=2 HTTP/1.1\r\n\
Host: www.example.com\r\n\
Connection: keep-alive\r\n\
Cache-Control: max-age=0\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
Accept-Encoding: gzip, deflate, br\r\n\
Accept-Language: en-US,en;q=0.9\r\n\
Referer: https://www.example.com/articles\r\n\
Cookie: session=0123456789abcdef; theme=dark\r\n\
If-None-Match: \"5f3a-1b2c\"\r\n\r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 204 No Content\r\n\
Date: Sun, 22 Nov 2026 12:00:00 GMT\r\n\
Connection: keep-alive\r\n\
Keep-Alive: timeout=5\r\n\r\n";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\n\
Content-Type: text/plain\r\n\
Date: Sun, 22 Nov 2026 12:00:00 GMT\r\n\
Connection: keep-alive\r\n\
Keep-Alive: timeout=5\r\n\
Content-Length: 12\r\n\r\n";

fn main() {
    divan::main();
}

/// Hears requests, all of the input each time.
fn hear(bencher: Bencher<'_, '_>, wire: &[u8], is_reference: bool) {
    let mut connection = Connection::new(Role::Server, Config::default());
    if is_reference {
        connection.use_reference_only();
    }
    let mut told = Vec::with_capacity(64 * 1024);
    bencher.bench_local(|| {
        told.clear();
        let mut input = black_box(wire);
        loop {
            match connection.next_event(&mut input) {
                Ok(Event::Request(head)) => {
                    told.extend_from_slice(head.target);
                    head.fields.pack_into(&mut told);
                }
                Ok(Event::NeedData) | Err(_) => break,
                Ok(_) => {}
            }
        }
        black_box(&told);
    });
}

#[divan::bench]
fn request_of_1_field(bencher: Bencher<'_, '_>) {
    hear(bencher, SMALL, false);
}

#[divan::bench]
fn request_of_10_fields(bencher: Bencher<'_, '_>) {
    hear(bencher, TEN, false);
}

#[divan::bench]
fn request_of_10_fields_by_the_reference(bencher: Bencher<'_, '_>) {
    hear(bencher, TEN, true);
}

#[divan::bench]
fn request_of_64_chunks_of_16_bytes(bencher: Bencher<'_, '_>) {
    let mut chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..64 {
        chunked.extend_from_slice(b"10\r\n0123456789abcdef\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    hear(bencher, &chunked, false);
}

#[divan::bench]
fn response_of_3_fields(bencher: Bencher<'_, '_>) {
    let mut connection = Connection::new(Role::Client, Config::default());
    let mut told = Vec::with_capacity(64 * 1024);
    bencher.bench_local(|| {
        told.clear();
        connection.expect_response(false, false);
        let mut input = black_box(RESPONSE);
        while let Ok(event) = connection.next_event(&mut input) {
            match event {
                Event::Response(head) => head.fields.pack_into(&mut told),
                _ => break,
            }
        }
        black_box(&told);
    });
}

#[divan::bench]
fn answer_of_a_head_and_a_body(bencher: Bencher<'_, '_>) {
    let mut connection = Connection::new(Role::Server, Config::default());
    let mut said = Vec::with_capacity(64 * 1024);
    bencher.bench_local(|| {
        said.clear();
        let sent = connection.send_head(black_box(ANSWER), 7, OutFraming::Length(12), &mut said);
        assert!(sent.is_ok() && connection.begin_data(12, &mut said));
        said.extend_from_slice(b"Hello World\n");
        connection.finish_data(&mut said);
        assert!(connection.send_end(b"", 0, false, &mut said).is_ok());
        black_box(&said);
    });
}
