//! A WebSocket client that sends the same message over and over and compares what comes back: the load on an echo server.
//! What it masks and expects is made once, so that the server is what is measured.
//!
//!     talker PORT CONNECTIONS DEPTH LENGTH WARM_UP SECONDS
//!
//! Prints `measuring` when the warm-up is over, and then, in one line, how many messages came back, in how many seconds,
//! and the median and the 99th percentile of their times in microseconds. Ends with its standard input.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

const UPGRADE: &[u8] =
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

/// A final frame of binary data (RFC 6455 §5.2).
const FINAL_BINARY: u8 = 0x82;
const MASKED: u8 = 0x80;
const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];

/// The message as a client sends it, and as a server does.
fn frames(length: u8) -> (Vec<u8>, Vec<u8>) {
    let payload: Vec<u8> = (0..length).collect();
    let masked = payload.iter().zip(MASK.iter().cycle()).map(|(a, b)| a ^ b);
    let sent = [FINAL_BINARY, MASKED | length]
        .into_iter()
        .chain(MASK)
        .chain(masked)
        .collect();
    let answer = [FINAL_BINARY, length].into_iter().chain(payload).collect();
    (sent, answer)
}

async fn write_all(stream: &TcpStream, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match stream.try_write(rest) {
            Ok(len) => rest = &rest[len..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Appends what the server says next.
async fn read_some(stream: &TcpStream, said: &mut Vec<u8>, chunk: &mut [u8]) -> io::Result<()> {
    loop {
        stream.ready(Interest::READABLE).await?;
        match stream.try_read(chunk) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(len) => {
                said.extend_from_slice(&chunk[..len]);
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

async fn talk(
    port: u16,
    depth: usize,
    length: u8,
    times: Rc<RefCell<Vec<Duration>>>,
) -> io::Result<()> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    let (message, answer) = frames(length);
    let mut said = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    write_all(&stream, UPGRADE).await?;
    while !said.ends_with(b"\r\n\r\n") {
        read_some(&stream, &mut said, &mut chunk).await?;
    }
    if !said.starts_with(b"HTTP/1.1 101 ") {
        return Err(io::Error::other("the server does not upgrade"));
    }
    said.clear();
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
                times.borrow_mut().push(now - begin);
            }
            begins.push_back(now);
        }
        said.drain(..complete * answer.len());
        write_all(&stream, &message.repeat(complete)).await?;
    }
}

fn percentile(sorted: &[Duration], part: f64) -> u128 {
    let at = (sorted.len() as f64 * part) as usize;
    sorted
        .get(at.min(sorted.len().saturating_sub(1)))
        .map_or(0, Duration::as_micros)
}

fn main() -> io::Result<()> {
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let &[port, connections, depth, length, warm_up, seconds] = numbers.as_slice() else {
        return Err(io::Error::other(
            "usage: talker PORT CONNECTIONS DEPTH LENGTH WARM_UP SECONDS",
        ));
    };
    let port = u16::try_from(port).map_err(io::Error::other)?;
    // Longer messages have a longer head.
    let length = u8::try_from(length)
        .ok()
        .filter(|length| *length < 126)
        .ok_or_else(|| io::Error::other("LENGTH is at most 125"))?;
    // Whoever started this holds the other end, and may be killed.
    std::thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let times = Rc::new(RefCell::new(Vec::new()));
        for _ in 0..connections {
            let talking = talk(port, depth, length, Rc::clone(&times));
            tokio::task::spawn_local(async {
                if let Err(error) = talking.await {
                    eprintln!("talker: {error}");
                    std::process::exit(1);
                }
            });
        }
        tokio::time::sleep(Duration::from_secs(warm_up as u64)).await;
        times.borrow_mut().clear();
        println!("measuring");
        let begin = Instant::now();
        tokio::time::sleep(Duration::from_secs(seconds as u64)).await;
        let elapsed = begin.elapsed().as_secs_f64();
        let mut times = times.take();
        times.sort_unstable();
        println!(
            "{} {elapsed} {} {}",
            times.len(),
            percentile(&times, 0.5),
            percentile(&times, 0.99)
        );
        Ok(())
    })
}
