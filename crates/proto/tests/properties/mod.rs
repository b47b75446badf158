//! What is true of a connection whatever bytes come: one property for each target of `fuzz/`, which finds inputs for it; on
//! stable, `main.rs` has it tested with the cases of the tables. A property that is not true panics.

mod chunked;
mod encoded;
mod heads;
mod input;
mod observer;
mod program;

/// What is true of bytes, or panics.
pub type Property = fn(&[u8]);

/// The properties, by the name of their fuzz target.
pub const TARGETS: &[(&str, Property)] = &[
    ("request_head", request_head),
    ("response_head", response_head),
    ("chunked_body", chunked_body),
    ("fast_path", fast_path),
    ("server", server),
    ("client", client),
    ("encode_decode", encode_decode),
];

/// A server makes the same of requests however they are cut, within its limits.
pub fn request_head(data: &[u8]) {
    heads::cut_anywhere(Side::Server, data);
}

/// A client makes the same of responses however they are cut, within its limits.
pub fn response_head(data: &[u8]) {
    heads::cut_anywhere(Side::Client, data);
}

/// Of a chunked body a connection makes what a second decoder, of the whole body, does.
pub fn chunked_body(data: &[u8]) {
    chunked::as_decoded_whole(data);
}

/// The fast path and the reference machine cannot be told apart.
pub fn fast_path(data: &[u8]) {
    heads::fast_as_reference(data);
}

/// A server is where its events and commands have brought it, whatever comes and is said.
pub fn server(data: &[u8]) {
    program::play(Side::Server, data);
}

/// A client is where its events and commands have brought it, whatever comes and is said.
pub fn client(data: &[u8]) {
    program::play(Side::Client, data);
}

/// What is sent arrives as it was said, and a block that could be two heads is not sent.
pub fn encode_decode(data: &[u8]) {
    encoded::arrives(data);
}

pub use http_native_proto::Role as Side;
pub use input::Options;
