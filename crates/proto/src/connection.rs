//! The public object (being written: signatures are final, behaviour is not there yet).

use crate::config::Config;
use crate::error::{CloseReason, Error, SendError};
use crate::event::Event;

/// Which side of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Receives requests, sends responses.
    Server,
    /// Sends requests, receives responses.
    Client,
}

/// How the end of an outgoing body is made known (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutFraming {
    /// There is no body: what is given as one is dropped.
    None,
    /// The head says how many bytes. Node: they are not counted here.
    Length(u64),
    /// Chunks (RFC 9112 §7.1).
    Chunked,
    /// Everything until this side closes: the message is the last one.
    UntilClose,
}

/// One HTTP/1.x connection.
#[derive(Debug)]
pub struct Connection {
    role: Role,
    config: Config,
}

#[allow(missing_docs, unused_variables, reason = "signatures first")]
impl Connection {
    pub fn new(role: Role, config: Config) -> Self {
        Self { role, config }
    }
    pub fn role(&self) -> Role {
        self.role
    }
    pub fn configure(&mut self, config: Config) {
        self.config = config;
    }
    pub fn begin_packet(&mut self) {}
    pub fn next_event<'s, 'i: 's>(&'s mut self, input: &mut &'i [u8]) -> Result<Event<'s>, Error> {
        *input = &[];
        Ok(Event::NeedData)
    }
    pub fn end_of_input(&mut self) -> Result<Event<'static>, Error> {
        Ok(Event::NeedData)
    }
    pub fn accept_switch(&mut self) {}
    pub fn accept_switch_after_body(&mut self) {}
    pub fn decline_switch(&mut self) {}
    pub fn expect_response(&mut self, head: bool, connect: bool) {}
    pub fn send_informational(
        &mut self,
        head: &[u8],
        lines: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        Ok(())
    }
    pub fn send_head(
        &mut self,
        head: &[u8],
        lines: u32,
        framing: OutFraming,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        Ok(())
    }
    pub fn begin_data(&mut self, len: usize, out: &mut Vec<u8>) -> bool {
        true
    }
    pub fn finish_data(&mut self, out: &mut Vec<u8>) {}
    pub fn send_end(
        &mut self,
        trailers: &[u8],
        lines: u32,
        last: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), SendError> {
        Ok(())
    }
    pub fn is_idle(&self) -> bool {
        true
    }
    pub fn receiving(&self) -> bool {
        false
    }
    pub fn outstanding(&self) -> u32 {
        0
    }
    pub fn must_close(&self) -> Option<CloseReason> {
        None
    }
}
