//! Prints what a connection makes of bytes: one case per line of standard input.
//!
//! ```text
//! $ echo 'server : GET\s/\sHTTP/1.1\r\nHost:\sa\r\n\r\n' | cargo run --example trace
//! head 1.1 GET "/" keep up- [Host: a]; end
//! ```
//!
//! A line is the role, options (`lenient=1023 size=100 fields=5 drop groups llhttp93 strict audit reference eof head connect`),
//! a colon, and packets, separated by spaces. In packets `\s` is a space, `\r \n \t \\` and `\xHH` what
//! they are in Rust. `end` stands behind every message, `raw` for bytes of another protocol, and
//! `error CODE "reason" @offset` ends a case (the reason is a row's name if hardening refuses), and then `noted` with the rows
//! that were let through.

use std::io::{BufRead, Write as _};

#[path = "../tests/support/case.rs"]
mod case;
#[path = "../tests/support/trace.rs"]
mod trace;

fn main() -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        writeln!(out, "{}", trace::trace(&case::parse(&line?)))?;
    }
    out.flush()
}
