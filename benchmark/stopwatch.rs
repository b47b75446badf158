//! What the Rust programs that make load have in common: arguments, a stream to write to, and times that are taken
//! while it is measured.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, Read};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

/// How long each exchange took.
#[derive(Clone, Default)]
pub(crate) struct Times(Rc<RefCell<Vec<Duration>>>);

impl Times {
    pub(crate) fn push(&self, time: Duration) {
        self.0.borrow_mut().push(time);
    }
}

pub(crate) async fn write_all(stream: &TcpStream, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match stream.try_write(rest) {
            Ok(len) => rest = &rest[len..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Appends what the peer says next.
pub(crate) async fn read_some(
    stream: &TcpStream,
    said: &mut Vec<u8>,
    chunk: &mut [u8],
) -> io::Result<()> {
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

/// The number in the arguments at that place, the first being 1.
pub(crate) fn argument(at: usize, usage: &str) -> io::Result<usize> {
    let number = std::env::args().nth(at).and_then(|text| text.parse().ok());
    number.ok_or_else(|| io::Error::other(format!("usage: {usage}")))
}

fn percentile(sorted: &[Duration], part: f64) -> u128 {
    let at = (sorted.len() as f64 * part) as usize;
    sorted
        .get(at.min(sorted.len().saturating_sub(1)))
        .map_or(0, Duration::as_micros)
}

/// Starts `connections` of what `exchange` makes and measures them for `seconds`, after a warm-up. Prints `measuring` in
/// between, and then, in one line, how many exchanges there were, in how many seconds, and the median and the 99th
/// percentile of their times in microseconds. Ends with its standard input, too.
pub(crate) fn measure<F>(
    connections: usize,
    warm_up: usize,
    seconds: usize,
    mut exchange: impl FnMut(Times) -> F,
) -> io::Result<()>
where
    F: Future<Output = io::Result<()>> + 'static,
{
    // The process that started this holds the other end, and may be killed.
    std::thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let times = Times::default();
        for _ in 0..connections {
            let exchanging = exchange(times.clone());
            tokio::task::spawn_local(async {
                if let Err(error) = exchanging.await {
                    eprintln!("{error}");
                    std::process::exit(1);
                }
            });
        }
        tokio::time::sleep(Duration::from_secs(warm_up as u64)).await;
        times.0.borrow_mut().clear();
        println!("measuring");
        let begin = Instant::now();
        tokio::time::sleep(Duration::from_secs(seconds as u64)).await;
        let elapsed = begin.elapsed().as_secs_f64();
        let mut times = times.0.take();
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
