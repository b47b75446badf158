//! What a connection makes of a case, as text.

use std::fmt::Write as _;

use http_native_proto::{BodyFraming, Connection, Event, Fields, Method, Role, Row};

use super::case::Case;

fn escape(bytes: &[u8]) -> String {
    let mut out = String::new();
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => {
                out.push('\\');
                out.push(byte as char);
            }
            b' '..=b'~' => out.push(byte as char),
            _ => write!(out, "\\x{byte:02x}").expect("strings take everything"),
        }
    }
    out
}

fn fields(fields: &Fields<'_>) -> String {
    let lines: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{}: {}", escape(name), escape(value)))
        .collect();
    format!("[{}]", lines.join(", "))
}

/// What was let through.
fn noted(connection: &mut Connection) -> Option<String> {
    let names: Vec<_> = connection.take_noted().into_iter().map(Row::name).collect();
    (!names.is_empty()).then(|| format!("noted {}", names.join(" ")))
}

/// What a connection makes of a case.
pub(crate) fn trace(case: &Case) -> String {
    let role = if case.client {
        Role::Client
    } else {
        Role::Server
    };
    let mut connection = Connection::new(role, case.config);
    if case.reference {
        connection.use_reference_only();
    }
    let mut said = Vec::new();
    let mut raw = Vec::new();
    for packet in &case.packets {
        let mut input = packet.as_slice();
        loop {
            if case.client && connection.outstanding() == 0 {
                connection.expect_response(case.head, case.connect);
            }
            // What to do once the event's borrow has ended.
            let mut connects = false;
            match connection.next_event(&mut input) {
                Ok(Event::NeedData) => break,
                Ok(Event::Held) => {
                    connection.accept_switch_after_body();
                    continue;
                }
                Ok(Event::Request(head)) => {
                    let keep = if head.keep_alive { "keep" } else { "close" };
                    let up = if head.switch { "up+" } else { "up-" };
                    let (major, minor) = head.version;
                    let (method, target) = (head.method.as_str(), escape(head.target));
                    let list = fields(&head.fields);
                    said.push(format!(
                        "head {major}.{minor} {method} \"{target}\" {keep} {up} {list}"
                    ));
                    connects = head.method == Method::CONNECT;
                    if head.body == BodyFraming::None || connects {
                        said.push("end".to_owned());
                    }
                }
                Ok(Event::Response(head)) => {
                    let keep = if head.keep_alive { "keep" } else { "close" };
                    let up = if head.switch { "up+" } else { "up-" };
                    let (major, minor) = head.version;
                    let (status, reason) = (head.status, escape(head.reason));
                    let list = fields(&head.fields);
                    said.push(format!(
                        "head {major}.{minor} {status} \"{reason}\" {keep} {up} {list}"
                    ));
                    if head.body == BodyFraming::None {
                        said.push("end".to_owned());
                    }
                }
                Ok(Event::Data(data)) => said.push(format!("data \"{}\"", escape(data))),
                Ok(Event::End(trailers)) if trailers.is_empty() => said.push("end".to_owned()),
                Ok(Event::End(trailers)) => said.push(format!("end {}", fields(&trailers))),
                Ok(Event::Raw(bytes)) => raw.extend_from_slice(bytes),
                Err(error) => {
                    let code = error.kind.code();
                    let reason = error.row.map_or_else(|| error.kind.reason(), Row::name);
                    said.push(format!("error {code} \"{reason}\" @{}", error.offset));
                    said.extend(noted(&mut connection));
                    return said.join("; ");
                }
            }
            if connects {
                connection.accept_switch();
            }
        }
    }
    if case.eof {
        match connection.end_of_input() {
            Ok(Event::End(_)) => said.push("end".to_owned()),
            Ok(_) => {}
            Err(error) => said.push(format!("error {} @{}", error.kind.code(), error.offset)),
        }
    }
    if !raw.is_empty() {
        said.push(format!("raw \"{}\"", escape(&raw)));
    }
    said.extend(noted(&mut connection));
    said.join("; ")
}
