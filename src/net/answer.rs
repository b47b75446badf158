//! Answers that the threads that read give by themselves: to what is beyond a limit, and of a server's health.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use super::limit_kinds::{
    BODY_BYTES_PER_SECOND, BODY_SIZE, BODY_TIMEOUT, CONNECTIONS_PER_ADDRESS, HEADERS_TIMEOUT,
};
use super::server_limits::ServerLimits;

/// A status with its reason, RFC 9110 §15.
type Status = (u16, &'static str);

const OK: Status = (200, "OK");
const TIMED_OUT: Status = (408, "Request Timeout");
const TOO_LARGE: Status = (413, "Payload Too Large");
const TOO_MANY: Status = (429, "Too Many Requests");
const UNAVAILABLE: Status = (503, "Service Unavailable");

/// An answer, without what depends on the request.
#[derive(Debug)]
pub(crate) struct Answer {
    status: Status,
    /// Fields and their values, in order.
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

/// How an answer is to be rendered.
#[derive(Clone, Copy)]
pub(super) struct Rendering {
    /// The connection is closed behind it.
    pub(super) closes: bool,
    /// The request's method is HEAD: the body is left out.
    pub(super) is_head: bool,
}

/// Of a connection that has not asked, or whose request is cut off.
pub(super) const REFUSED_CONNECTION: Rendering = Rendering {
    closes: true,
    is_head: false,
};

impl Answer {
    /// The answer to what is beyond one of `SERVER_LIMITS`.
    pub(super) fn for_limit(limit: i32, limits: &ServerLimits) -> Self {
        let status = match limit {
            BODY_SIZE => TOO_LARGE,
            BODY_BYTES_PER_SECOND | HEADERS_TIMEOUT | BODY_TIMEOUT => TIMED_OUT,
            CONNECTIONS_PER_ADDRESS => TOO_MANY,
            _ => UNAVAILABLE,
        };
        let mut fields = Vec::new();
        // RFC 9110 §10.2.3, RFC 6585 §4.
        if matches!(status, TOO_MANY | UNAVAILABLE) {
            fields.push(("Retry-After", limits.retry_after.to_string()));
        }
        Self {
            status,
            fields,
            body: String::new(),
        }
    }

    /// The answer that tells a server's health. `query` may ask for the age of the event loop's turn, `?turn`, and for how many
    /// seconds of it are too many, `?turn=2.5`.
    pub(super) fn for_health(limits: &ServerLimits, query: &[u8]) -> Self {
        let age = limits.turn.age();
        let asked = query.strip_prefix(b"?turn");
        let is_stuck = asked
            .and_then(|rest| f64::from_str(str::from_utf8(rest.strip_prefix(b"=")?).ok()?).ok())
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .is_some_and(|limit| age > limit);
        let word = if limits.is_stopping() {
            "stopping"
        } else if limits.is_shedding() {
            "shedding"
        } else if is_stuck {
            "stuck"
        } else {
            "ok"
        };
        let turn = match asked {
            Some(_) => format!(",\"turn\":{:.3}", age.as_secs_f64()),
            None => String::new(),
        };
        let mut fields = vec![
            ("Content-Type", "application/json".to_owned()),
            ("Cache-Control", "no-store".to_owned()),
        ];
        if word != "ok" {
            fields.push(("Retry-After", limits.retry_after.to_string()));
        }
        Self {
            status: if word == "ok" { OK } else { UNAVAILABLE },
            fields,
            body: format!("{{\"status\":\"{word}\"{turn}}}\n"),
        }
    }

    pub(crate) fn status(&self) -> u16 {
        self.status.0
    }

    /// The head; the body follows unless the method is HEAD. With how many lines.
    pub(super) fn render_head(&self, closes: bool) -> (Vec<u8>, u32) {
        let (code, reason) = self.status;
        let mut head = format!("HTTP/1.1 {code} {reason}\r\n");
        let mut lines = 5;
        for (name, value) in &self.fields {
            head += &format!("{name}: {value}\r\n");
            lines += 1;
        }
        let connection = if closes { "close" } else { "keep-alive" };
        // RFC 9110 §6.6.1.
        let date = httpdate::fmt_http_date(SystemTime::now());
        head += &format!(
            "Date: {date}\r\nConnection: {connection}\r\nContent-Length: {}\r\n\r\n",
            self.body.len()
        );
        (head.into_bytes(), lines)
    }

    /// Head and body, as text, behind which the connection is closed.
    pub(crate) fn render_last(&self) -> String {
        String::from_utf8_lossy(&self.render(REFUSED_CONNECTION)).into_owned()
    }

    /// Head and body.
    pub(super) fn render(&self, how: Rendering) -> Vec<u8> {
        let (mut bytes, _) = self.render_head(how.closes);
        if !how.is_head {
            bytes.extend_from_slice(self.body.as_bytes());
        }
        bytes
    }
}
