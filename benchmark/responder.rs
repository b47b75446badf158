//! A bare TCP server that finds the end of each request and sends the same bytes back: what the client is measured
//! against, in Rust so that the peer is not what limits a client on a machine with few cores; and beside the servers,
//! what the kernel and the load generator leave to a server that does nothing at all.
//!
//! Prints its port, and ends with its standard input.

use std::io::{self, Read};
use std::net::Ipv4Addr;

use tokio::net::{TcpListener, TcpStream};

/// What node:http sends for `res.end('hello world')`, at some time or other.
const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 16:00:00 GMT\r\nConnection: keep-alive\r\n\
    Keep-Alive: timeout=5\r\nContent-Length: 11\r\n\r\nhello world";

/// The length of the body that a head announces; its clients say `Content-Length` or have none.
fn body_length(head: &[u8]) -> usize {
    const NAME: &[u8] = b"\r\ncontent-length:";
    let Some(at) = head
        .windows(NAME.len())
        .position(|name| name.eq_ignore_ascii_case(NAME))
    else {
        return 0;
    };
    head[at + NAME.len()..]
        .iter()
        .skip_while(|byte| **byte == b' ')
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |length, digit| length * 10 + usize::from(digit - b'0'))
}

/// Takes whole requests off the front of `received`; returns how many. `missing` are bytes of a body still to come.
fn requests(received: &mut Vec<u8>, missing: &mut usize) -> usize {
    let mut at = 0;
    let mut ended = 0;
    loop {
        let taken = (*missing).min(received.len() - at);
        at += taken;
        *missing -= taken;
        if *missing > 0 {
            break;
        }
        let rest = &received[at..];
        let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") else {
            break;
        };
        *missing = body_length(&rest[..end]);
        at += end + 4;
        ended += 1;
    }
    received.drain(..at);
    // The last one is answered when its body is there.
    ended
}

async fn serve(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut received = Vec::new();
    let mut missing = 0;
    let mut owed = 0;
    let mut chunk = vec![0; 64 * 1024];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(len) => received.extend_from_slice(&chunk[..len]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        owed += requests(&mut received, &mut missing);
        let due = owed - usize::from(missing > 0);
        if due == 0 {
            continue;
        }
        owed -= due;
        let answers = ANSWER.repeat(due);
        let mut rest = answers.as_slice();
        while !rest.is_empty() {
            match stream.try_write(rest) {
                Ok(len) => rest = &rest[len..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    stream.writable().await?
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn main() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?.port());
        // The process that started this holds the other end, and may be killed.
        std::thread::spawn(|| {
            let _ = io::stdin().read_to_end(&mut Vec::new());
            std::process::exit(0);
        });
        loop {
            let (stream, _) = listener.accept().await?;
            // A client that breaks off is no concern of the others.
            tokio::spawn(async { serve(stream).await.unwrap_or_default() });
        }
    })
}
