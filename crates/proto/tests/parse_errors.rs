//! `lib/core/parse-errors.js` names the kinds of errors in the same order as the enum.

use http_native_proto::ErrorKind;

/// The two strings of a line like `  ['HPE_A', "it's"],`.
fn entry(line: &str) -> Option<(String, String)> {
    let line = line.trim().strip_prefix('[')?;
    let line = line.trim_end_matches(',').strip_suffix(']')?;
    let (code, reason) = line.split_once(", ")?;
    let unquote = |text: &str| text[1..text.len() - 1].to_owned();
    Some((unquote(code), unquote(reason)))
}

#[test]
fn javascript_and_rust_agree() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../lib/core/parse-errors.js");
    let file = std::fs::read_to_string(path).expect("lib/core/parse-errors.js");
    let entries: Vec<_> = file.lines().filter_map(entry).collect();
    let kinds: Vec<_> = ErrorKind::ALL
        .iter()
        .map(|kind| (kind.code().to_owned(), kind.reason().to_owned()))
        .collect();
    assert_eq!(entries, kinds);
}

#[test]
fn numbers_are_places() {
    for (place, kind) in ErrorKind::ALL.iter().enumerate() {
        assert_eq!(usize::from(kind.number()), place);
    }
}
