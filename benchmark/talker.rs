//! A WebSocket client that sends the same message over and over and compares what comes back: the load on an echo server.
//! What it masks and expects is made once, so that the server is what is measured.
//!
//!     talker PORT CONNECTIONS DEPTH LENGTH WARM_UP SECONDS [socket.io]
//!
//! With `socket.io` it speaks Engine.IO 4 and Socket.IO 5 and emits `echo` with a text of LENGTH bytes, which is to be
//! emitted back. What it prints is what `stopwatch::measure` prints.

mod stopwatch;

use std::collections::VecDeque;
use std::io;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Instant;

use stopwatch::{Times, argument, read_some, write_all};
use tokio::net::TcpStream;

const USAGE: &str = "talker PORT CONNECTIONS DEPTH LENGTH WARM_UP SECONDS [socket.io]";

/// Final frames (RFC 6455 §5.2).
const FINAL_TEXT: u8 = 0x81;
const FINAL_BINARY: u8 = 0x82;
const MASKED: u8 = 0x80;
const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
/// Longer payloads have a longer head.
const SHORT: usize = 126;

/// What is said over and over, and what is to be heard.
struct Talk {
    path: &'static str,
    /// Said before the talk begins, when a first frame came; answered by a frame.
    greeting: Option<Vec<u8>>,
    message: Vec<u8>,
    answer: Vec<u8>,
}

/// A frame as a client sends it.
fn masked(head: u8, payload: &[u8]) -> Vec<u8> {
    let hidden = payload.iter().zip(MASK.iter().cycle()).map(|(a, b)| a ^ b);
    [head, MASKED | payload.len() as u8]
        .into_iter()
        .chain(MASK)
        .chain(hidden)
        .collect()
}

impl Talk {
    fn of_frames(path: &'static str, head: u8, payload: &[u8], greeting: Option<&[u8]>) -> Self {
        assert!(payload.len() < SHORT, "LENGTH is too large");
        Self {
            path,
            greeting: greeting.map(|greeting| masked(head, greeting)),
            message: masked(head, payload),
            answer: [&[head, payload.len() as u8], payload].concat(),
        }
    }

    fn websocket(length: usize) -> Self {
        let payload: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
        Self::of_frames("/", FINAL_BINARY, &payload, None)
    }

    /// `0` opens and `4` is a message of Engine.IO; of Socket.IO are `0`, to connect, and `2`, an event.
    fn socket_io(length: usize) -> Self {
        let payload = format!(r#"42["echo","{}"]"#, "x".repeat(length));
        let path = "/socket.io/?EIO=4&transport=websocket";
        Self::of_frames(path, FINAL_TEXT, payload.as_bytes(), Some(b"40"))
    }
}

/// Is there a frame of the server?
fn is_frame(said: &[u8]) -> bool {
    match said {
        [_, 126, high, low, rest @ ..] => {
            rest.len() >= usize::from(u16::from_be_bytes([*high, *low]))
        }
        [_, length, rest @ ..] => rest.len() >= usize::from(*length),
        _ => false,
    }
}

async fn open(stream: &TcpStream, talk: &Talk, chunk: &mut [u8]) -> io::Result<()> {
    let upgrade = format!(
        "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        talk.path
    );
    write_all(stream, upgrade.as_bytes()).await?;
    let mut said = Vec::new();
    let end = loop {
        read_some(stream, &mut said, chunk).await?;
        if let Some(at) = said.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
    };
    if !said.starts_with(b"HTTP/1.1 101 ") {
        return Err(io::Error::other("the server does not upgrade"));
    }
    let Some(greeting) = &talk.greeting else {
        return Ok(());
    };
    said.drain(..end);
    while !is_frame(&said) {
        read_some(stream, &mut said, chunk).await?;
    }
    said.clear();
    write_all(stream, greeting).await?;
    while !is_frame(&said) {
        read_some(stream, &mut said, chunk).await?;
    }
    Ok(())
}

async fn converse(port: u16, depth: usize, talk: Rc<Talk>, times: Times) -> io::Result<()> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    let mut chunk = vec![0; 64 * 1024];
    open(&stream, &talk, &mut chunk).await?;
    let Talk {
        message, answer, ..
    } = &*talk;
    let mut said = Vec::new();
    let mut begins = VecDeque::from(vec![Instant::now(); depth]);
    write_all(&stream, &message.repeat(depth)).await?;
    loop {
        read_some(&stream, &mut said, &mut chunk).await?;
        let complete = said.len() / answer.len();
        let now = Instant::now();
        for part in said.chunks_exact(answer.len()) {
            if part != answer {
                return Err(io::Error::other("another message came back"));
            }
            if let Some(begin) = begins.pop_front() {
                times.push(now - begin);
            }
            begins.push_back(now);
        }
        said.drain(..complete * answer.len());
        write_all(&stream, &message.repeat(complete)).await?;
    }
}

fn main() -> io::Result<()> {
    let port = u16::try_from(argument(1, USAGE)?).map_err(io::Error::other)?;
    let depth = argument(3, USAGE)?;
    let length = argument(4, USAGE)?;
    let talk = Rc::new(match std::env::args().nth(7).as_deref() {
        Some("socket.io") => Talk::socket_io(length),
        _ => Talk::websocket(length),
    });
    stopwatch::measure(
        argument(2, USAGE)?,
        argument(5, USAGE)?,
        argument(6, USAGE)?,
        |times| converse(port, depth, Rc::clone(&talk), times),
    )
}
