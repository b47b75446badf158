//! What a server's limits mean for one connection: what is beyond them waits, is answered here, or ends the connection.

use std::time::Instant;

use http_native_proto as proto;
use proto::{BodyFraming, OutFraming};

use super::answer::{Answer, Rendering};
use super::connection::{Batch, Connection, Event};
use super::input::Mode;
use super::limit_kinds::{ANSWER, BODY_SIZE, HEADERS_TIMEOUT, Hit};
use super::message::{Block, Body, Head, Message};
use super::server_limits::ServerLimits;
use super::state::{Ending, Fin, State};
use super::stats::PLACES;

/// What a head says of a request that is not served.
pub(super) struct Refused {
    pub(super) answer: Answer,
    /// The limit that it is beyond; none if its answer is the server's health.
    pub(super) hit: Option<Hit>,
    method: u8,
    is_head: bool,
    keep_alive: bool,
    has_body: bool,
    switch: bool,
}

impl ServerLimits {
    /// Counts the request with this head, which JavaScript is to look at if it `is_queued`; if it is not served, it is not counted,
    /// and this tells what becomes of it.
    #[inline(never)]
    pub(super) fn admit(
        &self,
        head: &proto::RequestHead<'_>,
        is_queued: bool,
    ) -> Option<Box<Refused>> {
        let refused = |answer, hit| {
            Box::new(Refused {
                answer,
                hit,
                method: PLACES[usize::from(head.method.number())],
                is_head: head.method.as_str() == "HEAD",
                keep_alive: head.keep_alive,
                has_body: !matches!(head.body, BodyFraming::None | BodyFraming::Length(0)),
                switch: head.switch,
            })
        };
        if matches!(head.method.as_str(), "GET" | "HEAD")
            && let Some(query) = self.health_query(head.target)
        {
            return Some(refused(Answer::for_health(self, query), None));
        }
        let hit = match (head.body, self.max(BODY_SIZE)) {
            (BodyFraming::Length(length), Some(max)) if length > max => Some(self.hit(BODY_SIZE)),
            _ => self.arrived(is_queued),
        }?;
        Some(refused(Answer::for_limit(hit.limit, self), Some(hit)))
    }
}

impl Connection {
    /// True if a request that is not served is answered here: nothing is ahead of it, and its bytes are no stream's.
    pub(super) fn answers_here(&self, is_behind: bool) -> bool {
        self.queue().is_some() && !is_behind
    }

    /// Has JavaScript answer a request that is not served, in its turn.
    pub(super) fn leave_answer(&self, state: &mut State, refused: Refused, batch: &mut Batch) {
        if let (Some(limits), Some(hit)) = (&self.limits, refused.hit) {
            self.count_hit(limits, hit, batch);
        }
        state.metered.answers.push_back(refused.answer);
    }

    /// Answers a request that is not served. `is_last`: nothing has come behind it.
    pub(super) fn refuse(
        &self,
        state: &mut State,
        refused: &Refused,
        is_last: bool,
        batch: &mut Batch,
        now: Instant,
    ) {
        if let (Some(limits), Some(hit)) = (&self.limits, refused.hit) {
            self.count_hit(limits, hit, batch);
        }
        state.exchanges.begin(refused.method, now, &self.stats);
        state.metered.has_acted = true;
        let is_stopping = self
            .limits
            .as_ref()
            .is_some_and(|limits| limits.is_stopping());
        if refused.hit.is_some_and(|hit| hit.action != ANSWER) {
            self.cut_off(state);
        } else if refused.has_body
            || refused.switch
            || !refused.keep_alive
            || (is_last && is_stopping)
        {
            self.answer_last(state, &refused.answer, refused.is_head);
        } else {
            self.answer(state, &refused.answer);
        }
    }

    /// Answers a request without a body, behind which the connection stays open.
    fn answer(&self, state: &mut State, answer: &Answer) {
        let (head, lines) = answer.render_head(false);
        let block = |bytes, lines| Block { bytes, lines };
        let message = Message {
            head: Head::Final(
                block(&head, lines),
                OutFraming::Length(answer.body.len() as u64),
            ),
            request_head: false,
            request_connect: false,
            // proto omits it where the method is HEAD.
            body: Body::Copied(answer.body.as_bytes()),
            end: Some(block(b"", 0)),
            last: false,
            cork: false,
            under_cork: false,
        };
        if self.frame(state, message).is_err() {
            // Not with a head of ours, in its turn.
            self.cut_off(state);
        }
        state.timing.message_complete();
    }

    /// Answers, and closes the connection behind that. What still comes of the message is read and dropped ([`super::linger`]).
    fn answer_last(&self, state: &mut State, answer: &Answer, is_head: bool) {
        let how = Rendering {
            closes: true,
            is_head,
        };
        state.output.tail().extend_from_slice(&answer.render(how));
        state.exchanges.answer(answer.status(), None, &self.stats);
        self.answer_said(state);
        self.stop_input(state);
        state.end(Ending::AfterOutput);
    }

    /// Ends a message that is beyond a limit, before its end: answers it, in its turn, if nothing was answered yet, and closes the
    /// connection.
    pub(super) fn cut(&self, state: &mut State, hit: Hit, batch: &mut Batch) {
        if state.metered.is_refused {
            return;
        }
        if let Some(limits) = &self.limits {
            self.count_hit(limits, hit, batch);
        }
        if self.queue().is_none() {
            // A stream is JavaScript's to close.
            if let Some(limits) = &self.limits {
                let answer = Answer::for_limit(hit.limit, limits);
                state.metered.answers.push_back(answer);
            }
            self.stop_input(state);
            batch.events.push(Event::Cut { id: self.id });
            return;
        }
        state.metered.pending = Some(hit);
        state.metered.has_acted = true;
        if state.input.mode == Mode::Parsing {
            state.input.mode = Mode::Held;
        }
        state.attention = true;
    }

    /// Does what [`Self::cut`] has put off until its turn.
    pub(super) fn end_cut(&self, state: &mut State) {
        let (Some(hit), Some(limits)) = (state.metered.pending.take(), &self.limits) else {
            return;
        };
        // A head that does not come to its end is no request yet; one that was answered before its body ended needs no answer.
        let expected = u32::from(hit.limit != HEADERS_TIMEOUT);
        let is_unanswered = state.proto.outstanding() == expected
            && !state.proto.is_answering()
            && state.fin == Fin::None
            && state.ending == Ending::None;
        if hit.action == ANSWER && is_unanswered {
            let answer = Answer::for_limit(hit.limit, limits);
            self.answer_last(state, &answer, false);
        } else {
            self.cut_off(state);
        }
    }

    /// Gives, once, the answer to the request that comes next in its turn.
    pub(crate) fn take_answer(&self) -> Option<Answer> {
        self.lock().metered.answers.pop_front()
    }
}
