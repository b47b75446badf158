//! How long heads and chunks take: `cargo bench -p http-native-proto`.
//!
//! Plain timing on one thread, the best of some runs; good for comparing two versions of this
//! crate on one machine and for nothing else.

use std::hint::black_box;
use std::time::Duration;

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

// The clock is what a benchmark is for; the crate itself has none.
#[allow(clippy::disallowed_methods, reason = "see above")]
fn time(name: &str, mut once: impl FnMut()) {
    const ROUNDS: u32 = 20_000;
    let mut best = Duration::MAX;
    for _ in 0..30 {
        let start = std::time::Instant::now();
        for _ in 0..ROUNDS {
            once();
        }
        best = best.min(start.elapsed());
    }
    let nanoseconds = best.as_nanos() as f64 / f64::from(ROUNDS);
    println!("{name:32} {nanoseconds:8.1} ns");
}

fn server(name: &str, wire: &'static [u8], reference: bool) {
    let mut connection = Connection::new(Role::Server, Config::default());
    if reference {
        connection.use_reference_only();
    }
    let mut batch = Vec::with_capacity(64 * 1024);
    time(name, || {
        batch.clear();
        let mut input = black_box(wire);
        loop {
            match connection.next_event(&mut input) {
                Ok(Event::Request(head)) => {
                    batch.extend_from_slice(head.target);
                    head.fields.pack_into(&mut batch);
                }
                Ok(Event::NeedData) | Err(_) => break,
                Ok(_) => {}
            }
        }
        black_box(&batch);
    });
}

fn main() {
    server("request, 1 field", SMALL, false);
    server("request, 10 fields", TEN, false);
    server("request, 10 fields, reference", TEN, true);

    let mut connection = Connection::new(Role::Client, Config::default());
    let mut batch = Vec::with_capacity(64 * 1024);
    time("response, 3 fields", || {
        batch.clear();
        connection.expect_response(false, false);
        let mut input = black_box(RESPONSE);
        while let Ok(event) = connection.next_event(&mut input) {
            match event {
                Event::Response(head) => head.fields.pack_into(&mut batch),
                _ => break,
            }
        }
        black_box(&batch);
    });

    let mut chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..64 {
        chunked.extend_from_slice(b"10\r\n0123456789abcdef\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    server("request, 64 chunks of 16", chunked.leak(), false);

    let mut connection = Connection::new(Role::Server, Config::default());
    let mut out = Vec::with_capacity(64 * 1024);
    time("send a head, a body, the end", || {
        out.clear();
        let head = black_box(&b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 12\r\n\r\n"[..]);
        let sent = connection.send_head(head, 7, OutFraming::Length(12), &mut out);
        assert!(sent.is_ok() && connection.begin_data(12, &mut out));
        out.extend_from_slice(b"Hello World\n");
        connection.finish_data(&mut out);
        assert!(connection.send_end(b"", 0, false, &mut out).is_ok());
        black_box(&out);
    });
}
