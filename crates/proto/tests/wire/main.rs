//! What connections make of bytes: the tables in `cases`, and random heads.

mod both_paths;
mod forbidden;
mod hardening;
#[path = "../support/mod.rs"]
mod support;

use support::check;

#[test]
fn request_lines() {
    check(include_str!("cases/request_line.txt"));
}

#[test]
fn fields() {
    check(include_str!("cases/fields.txt"));
}

#[test]
fn framing() {
    check(include_str!("cases/framing.txt"));
}

#[test]
fn chunks() {
    check(include_str!("cases/chunks.txt"));
}

#[test]
fn limits() {
    check(include_str!("cases/limits.txt"));
}

#[test]
fn responses() {
    check(include_str!("cases/responses.txt"));
}

#[test]
fn leniencies() {
    check(include_str!("cases/lenient.txt"));
}

#[test]
fn llhttp_93() {
    check(include_str!("cases/llhttp_93.txt"));
}
