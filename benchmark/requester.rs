//! A bare TCP client that sends the same request over and over and finds the end of each answer: beside the clients,
//! what the kernel and the peer leave to a client that does nothing at all.
//!
//!     requester PORT IN_FLIGHT BODY_LENGTH WARM_UP SECONDS
//!
//! Prints `measuring` when the warm-up is over, and then, in one line, how many requests were answered, in how many
//! seconds, and the median and the 99th percentile of their times in microseconds. Ends with its standard input.

use std::cell::RefCell;
use std::io::{self, Read};
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

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

/// Reads one answer: nothing is under way behind it.
async fn read_answer(stream: &TcpStream, answer: &mut Vec<u8>, chunk: &mut [u8]) -> io::Result<()> {
    answer.clear();
    while !answer.ends_with(BODY) {
        stream.ready(Interest::READABLE).await?;
        match stream.try_read(chunk) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(len) => answer.extend_from_slice(&chunk[..len]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn ask(port: u16, request: Rc<[u8]>, times: Rc<RefCell<Vec<Duration>>>) -> io::Result<()> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    let mut answer = Vec::new();
    let mut chunk = vec![0; 4096];
    loop {
        let begin = Instant::now();
        write_all(&stream, &request).await?;
        read_answer(&stream, &mut answer, &mut chunk).await?;
        times.borrow_mut().push(begin.elapsed());
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
    let &[port, in_flight, body_length, warm_up, seconds] = numbers.as_slice() else {
        return Err(io::Error::other(
            "usage: requester PORT IN_FLIGHT BODY_LENGTH WARM_UP SECONDS",
        ));
    };
    let port = u16::try_from(port).map_err(io::Error::other)?;
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
        let request: Rc<[u8]> = request(body_length).into();
        let times = Rc::new(RefCell::new(Vec::new()));
        for _ in 0..in_flight {
            let asking = ask(port, Rc::clone(&request), Rc::clone(&times));
            tokio::task::spawn_local(async {
                if let Err(error) = asking.await {
                    eprintln!("requester: {error}");
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
