//! The reference machine's run over its input: the start line, then the fields.

use crate::config::Rules;
use crate::error::Fail;
use crate::head::machine::{Machine, State};

impl Machine {
    /// Consumes bytes up to the end of the head. Gives how many they were, or `None` if the head goes
    /// on behind the input, which then was consumed whole.
    pub(crate) fn feed(&mut self, input: &[u8], rules: &Rules) -> Result<Option<usize>, Fail> {
        let mut at = 0;
        while self.state != State::Done {
            if at == input.len() {
                // Limits apply to what has come, not only to what has ended.
                self.count(rules, at)?;
                return Ok(None);
            }
            at = if (self.state as u8) < State::FieldFirst09 as u8 {
                self.start_line(input, at, rules)?
            } else {
                self.fields_byte(input, at, rules)?
            };
        }
        Ok(Some(at))
    }
}
