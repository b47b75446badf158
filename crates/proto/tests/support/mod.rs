//! All the ways each case of a table is fed.

pub(crate) mod case;
mod table;
pub(crate) mod trace;

use case::{Case, parse};
use table::{Row, rows};
use trace::trace;

/// Runs each case of a table whole, byte by byte, cut in two everywhere and with a message behind
/// it, each through the fast path and through the reference machine.
pub(crate) fn check(table: &str) {
    let mut count = 0;
    for row in rows(table) {
        count += 1;
        let mut case = parse(row.case);
        for reference in [false, true] {
            case.reference = reference;
            assert_eq!(trace(&case), row.want, "{}, whole", row.name);
            in_pieces(&row, &case);
            with_tail(&row, &case);
        }
    }
    assert!(count > 5, "the table was read");
}

fn in_pieces(row: &Row<'_>, case: &Case) {
    let wire = case.packets.concat();
    let want = uncut(row.want);
    let bytes: Vec<_> = wire.iter().map(|&byte| vec![byte]).collect();
    let got = trace(&with_packets(case, bytes));
    assert_eq!(uncut(&got), want, "{}, byte by byte", row.name);
    for cut in 0..=wire.len() {
        let (front, back) = wire.split_at(cut);
        // What was said of the front stays.
        let mut front_only = with_packets(case, vec![front.to_vec()]);
        front_only.eof = false;
        let said = uncut(&trace(&front_only));
        let is_start = want.starts_with(said.trim_end_matches('"'));
        assert!(is_start, "{}, first {cut} bytes: {said}", row.name);
        let got = trace(&with_packets(case, vec![front.to_vec(), back.to_vec()]));
        assert_eq!(uncut(&got), want, "{}, cut at {cut}", row.name);
    }
}

/// A message behind one that keeps alive is read as if it came alone.
fn with_tail(row: &Row<'_>, case: &Case) {
    let last_head = row.want.rsplit("head ").next().unwrap_or("");
    let is_whole = row.want.contains("end") && row.want.rsplit("; ").next() == Some("end");
    let goes_on = last_head.contains(" keep up- ") || case.head;
    let is_dead_end = last_head.starts_with("1.1 101");
    let is_lenient = !case.config.leniency.is_none();
    if !is_whole || !goes_on || case.eof || is_dead_end || is_lenient {
        return;
    }
    let (tail, want) = if case.client {
        (
            &b"HTTP/1.1 204 Tail\r\n\r\n"[..],
            "head 1.1 204 \"Tail\" keep up- []; end",
        )
    } else {
        (
            &b"GET /t HTTP/1.1\r\n\r\n"[..],
            "head 1.1 GET \"/t\" keep up- []; end",
        )
    };
    let wire = [case.packets.concat(), tail.to_vec()].concat();
    let got = trace(&with_packets(case, vec![wire]));
    assert_eq!(got, format!("{}; {want}", row.want), "{}, tail", row.name);
}

fn with_packets(case: &Case, packets: Vec<Vec<u8>>) -> Case {
    Case {
        packets,
        ..case.clone()
    }
}

/// A trace without what depends on where the packets were cut.
fn uncut(said: &str) -> String {
    let joined = said.replace("\"; data \"", "");
    match joined.rsplit_once(" @") {
        Some((said, _)) => said.to_owned(),
        None => joined,
    }
}
