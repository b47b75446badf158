//! The sending half of a connection.
//!
//! JavaScript renders heads (RFC 9112 §3, §4); what happens here is that nothing but one head is in
//! what it calls one, that bodies are framed as the head says, and that they end.

use crate::body::encode;
use crate::client::Expected;
use crate::config::Role;
use crate::connection::Connection;
use crate::error::{CloseReason, SendError};
use crate::state::{OutFraming, Send};

impl Connection {
    /// Client: a request goes out with the next [`send_head`](Self::send_head), and the method it has
    /// decides how its response is framed (RFC 9112 §6.3): `head` and `connect` tell whether it is
    /// HEAD or CONNECT.
    pub fn expect_response(&mut self, head: bool, connect: bool) {
        self.overdrawn |= !self.expected.push(Expected { head, connect });
    }

    /// Appends the head of an informational response (RFC 9110 §15.2). `lines` is the number of
    /// CRLFs in it, the one of the empty line included.
    ///
    /// # Errors
    ///
    /// [`SendError::BadBlock`] if it is not exactly one head; [`SendError::OutOfOrder`] in the middle
    /// of a body, [`SendError::Over`] after the last message. Nothing is written then.
    pub fn send_informational(
        &mut self,
        head: &[u8],
        lines: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        match self.send {
            Send::Idle => {}
            Send::Body(_) => return Err(SendError::OutOfOrder),
            Send::Last | Send::Detached => return Err(SendError::Over),
        }
        encode::verify(head, lines, true)?;
        out.extend_from_slice(head);
        Ok(())
    }

    /// Appends the head of a message whose body will be framed this way. `lines` is the number of
    /// CRLFs in it, the one of the empty line included.
    ///
    /// # Errors
    ///
    /// As [`send_informational`](Self::send_informational), and
    /// [`SendError::TooManyOutstanding`] on a client. Nothing is written then.
    pub fn send_head(
        &mut self,
        head: &[u8],
        lines: u32,
        framing: OutFraming,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        if self.overdrawn {
            self.overdrawn = false;
            return Err(SendError::TooManyOutstanding);
        }
        self.send_informational(head, lines, out)?;
        self.send = Send::Body(framing);
        Ok(())
    }

    /// Announces `len` bytes of body, which the caller puts behind what is appended here, with
    /// [`finish_data`](Self::finish_data) after them. False if they are to be dropped: there is no
    /// body, or there are no bytes (an empty chunk would be the last one).
    pub fn begin_data(&mut self, len: usize, out: &mut Vec<u8>) -> bool {
        match self.send {
            Send::Body(OutFraming::Chunked) if len != 0 => {
                encode::chunk_size(len, out);
                true
            }
            Send::Body(OutFraming::Length(_) | OutFraming::UntilClose) => len != 0,
            _ => false,
        }
    }

    /// Appends what stands behind the bytes announced.
    pub fn finish_data(&mut self, out: &mut Vec<u8>) {
        if self.send == Send::Body(OutFraming::Chunked) {
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Server: a response went out by another way than [`send_head`](Self::send_head), or began here and ended so.
    pub fn answered(&mut self) {
        self.requests = self.requests.saturating_sub(1);
        if let Send::Body(_) = self.send {
            self.send = Send::Idle;
        }
    }

    /// Ends the message. `trailers` are lines `Name: value CRLF`, `lines` of them; they are dropped
    /// if the body is not chunked. `last` tells that the connection is closed after this.
    ///
    /// # Errors
    ///
    /// [`SendError::BadBlock`] if the trailers are not what they claim to be,
    /// [`SendError::OutOfOrder`] if there is no message to end, [`SendError::Over`] after the last one.
    /// Nothing is written then.
    pub fn send_end(
        &mut self,
        trailers: &[u8],
        lines: u32,
        last: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        let framing = match self.send {
            Send::Body(framing) => framing,
            Send::Idle => return Err(SendError::OutOfOrder),
            Send::Last | Send::Detached => return Err(SendError::Over),
        };
        encode::verify(trailers, lines, false)?;
        if framing == OutFraming::Chunked {
            out.extend_from_slice(b"0\r\n");
            out.extend_from_slice(trailers);
            out.extend_from_slice(b"\r\n");
        }
        if self.role() == Role::Server {
            self.requests = self.requests.saturating_sub(1);
        }
        self.send = Send::Idle;
        if last || framing == OutFraming::UntilClose {
            self.send = Send::Last;
            self.close.get_or_insert(if last {
                CloseReason::Last
            } else {
                CloseReason::UntilClose
            });
        }
        Ok(())
    }
}
