//! What the JS thread is told.

use super::Script;
use crate::net::connection::{Batch, Event};
use crate::net::head_flags::UPGRADE;

impl Script {
    pub(super) fn take_events(&mut self) {
        let mut batch = Batch::default();
        self.shared.queue.wake.taken();
        self.shared.queue.take(&mut batch);
        for event in &batch.events {
            self.progress.moved();
            self.hear(event, &batch);
            if self.connection.delivered(event.weight()) {
                self.marked = true;
            }
        }
    }

    fn hear(&mut self, event: &Event, batch: &Batch) {
        if self.closed && !matches!(event, Event::Rest { .. }) {
            self.wrong.push("something behind CLOSED".to_owned());
        }
        match event {
            Event::Head { numbers, text, .. } => {
                let target = format!("/{}", self.requests);
                let text = batch.slice(text);
                if text.get(..numbers[3] as usize) != Some(target.as_bytes()) {
                    let text = String::from_utf8_lossy(text);
                    let wrong = format!("out of order: {text:?} instead of {target}");
                    self.wrong.push(wrong);
                }
                if numbers[0] & UPGRADE != 0 {
                    self.held = Some(self.requests);
                }
                self.owed.push_back(self.requests);
                self.requests += 1;
            }
            Event::Data { payload, .. } if !b"hello".starts_with(batch.slice(payload)) => {
                // It may have come in pieces.
                let piece = batch.slice(payload);
                if !b"hello".windows(piece.len()).any(|part| part == piece) {
                    self.wrong.push("a body out of order".to_owned());
                }
            }
            Event::Raw { payload, .. } => self.raw.extend_from_slice(batch.slice(payload)),
            Event::ParseError { .. } if self.plan.drops => {}
            Event::ParseError { .. } => self.wrong.push("a message is cut".to_owned()),
            Event::Drain { .. } => self.awaits_drain = false,
            Event::Rest { .. } => self.awaits_rest = false,
            Event::Lent { .. } => {
                self.awaits_lent = false;
                if self.lent {
                    self.end_loan();
                } else {
                    self.lent = self.connection.lent().is_some();
                }
            }
            Event::Eof { .. } => self.eof = true,
            Event::Closed { errno, .. } => {
                if *errno != 0 && !self.plan.drops {
                    self.wrong.push(format!("failed with {errno}"));
                }
                self.closed = true;
                self.lent = false;
            }
            _ => {}
        }
    }
}
