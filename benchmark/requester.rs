//! A bare TCP client that sends the same request over and over and finds the end of each answer: beside the clients,
//! what the kernel and the peer leave to a client that does nothing at all.
//!
//!     requester PORT IN_FLIGHT BODY_LENGTH WARM_UP SECONDS
//!
//! What it prints is what `stopwatch::measure` prints.

mod stopwatch;

use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Instant;

use stopwatch::{Times, argument, read_some, write_all};
use tokio::net::TcpStream;

const USAGE: &str = "requester PORT IN_FLIGHT BODY_LENGTH WARM_UP SECONDS";

/// Ends an answer of the responder.
const BODY: &[u8] = b"\r\n\r\nhello world";

fn request(body_length: usize) -> Vec<u8> {
    let (method, framing) = match body_length {
        0 => ("GET", String::new()),
        length => ("POST", format!("Content-Length: {length}\r\n")),
    };
    let mut bytes = format!(
        "{method} / HTTP/1.1\r\nHost: 127.0.0.1\r\n{framing}Connection: keep-alive\r\n\r\n"
    )
    .into_bytes();
    bytes.resize(bytes.len() + body_length, b'x');
    bytes
}

async fn ask(port: u16, request: Rc<[u8]>, times: Times) -> io::Result<()> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    let mut answer = Vec::new();
    let mut chunk = vec![0; 4096];
    loop {
        let begin = Instant::now();
        write_all(&stream, &request).await?;
        answer.clear();
        // Nothing is under way behind it.
        while !answer.ends_with(BODY) {
            read_some(&stream, &mut answer, &mut chunk).await?;
        }
        times.push(begin.elapsed());
    }
}

fn main() -> io::Result<()> {
    let port = u16::try_from(argument(1, USAGE)?).map_err(io::Error::other)?;
    let request: Rc<[u8]> = request(argument(3, USAGE)?).into();
    stopwatch::measure(
        argument(2, USAGE)?,
        argument(4, USAGE)?,
        argument(5, USAGE)?,
        |times| ask(port, Rc::clone(&request), times),
    )
}
