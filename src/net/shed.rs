//! What a server's limits mean for one connection: what is beyond them waits, is answered here, or ends the connection.

use std::cell::Cell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use http_native_proto as proto;
use proto::{BodyFraming, OutFraming};

use super::answer::{Answer, Rendering};
use super::connection::{Batch, Connection, Event};
use super::input::Mode;
use super::message::{Block, Body, Head, Message};
use super::server_limits::{
    ANSWER, Account, BODY_BYTES_PER_SECOND, BODY_SIZE, BODY_TIMEOUT, HEADERS_TIMEOUT, Hit,
    ServerLimits,
};
use super::state::{Ending, Fin, State};
use super::stats::{Close, LIMIT, PLACES};

/// How long until a deadline that cannot be met now is looked at again.
const LATER: Duration = Duration::from_secs(1);

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

/// What the limits of its server have to know of a connection.
#[derive(Default)]
pub(super) struct Metered {
    /// What the sums of the server have of it.
    account: Account,
    /// The connection was answered, or is being closed, without JavaScript: nothing that it says counts.
    pub(super) is_refused: bool,
    /// A limit that was met behind requests that have no answer yet: its turn comes behind theirs.
    pub(super) pending: Option<Hit>,
    /// Bytes of the arriving body so far.
    body: u64,
    /// When the arriving body began.
    began: Option<Instant>,
    /// The span over which its rate is measured, and how much had been read by then.
    span: Option<(Instant, u64)>,
    /// Answers that JavaScript is to give, in order.
    answers: VecDeque<Answer>,
    /// Something was answered, or ended, that the driver has not looked at.
    pub(super) has_acted: bool,
    /// The connection was held: the driver is to look again when there is room.
    pub(super) gated: Cell<bool>,
    /// The driver did not read, since the connection was held or JavaScript had no room.
    pub(super) was_held: bool,
}

impl ServerLimits {
    /// What becomes of the request with this head, if it is not served.
    pub(super) fn judge(&self, head: &proto::RequestHead<'_>) -> Option<Refused> {
        let refused = |answer, hit| Refused {
            answer,
            hit,
            method: PLACES[usize::from(head.method.number())],
            is_head: head.method.as_str() == "HEAD",
            keep_alive: head.keep_alive,
            has_body: !matches!(head.body, BodyFraming::None | BodyFraming::Length(0)),
            switch: head.switch,
        };
        if matches!(head.method.as_str(), "GET" | "HEAD")
            && let Some(query) = self.health_query(head.target)
        {
            return Some(refused(Answer::for_health(self, query), None));
        }
        let hit = match (head.body, self.max(BODY_SIZE)) {
            (BodyFraming::Length(length), Some(max)) if length > max => Some(self.hit(BODY_SIZE)),
            _ => self.beyond_requests(),
        }?;
        Some(refused(Answer::for_limit(hit.limit, self), Some(hit)))
    }
}

impl Connection {
    /// Counts something beyond a limit, and has JavaScript told now and then.
    fn count_hit(&self, limits: &ServerLimits, hit: Hit, batch: &mut Batch) {
        if limits.count(hit.limit, &self.stats) {
            batch.events.push(Event::Limited {
                owner: limits.owner,
            });
        }
    }

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

    /// Answers a request that is not served.
    pub(super) fn refuse(
        &self,
        state: &mut State,
        refused: &Refused,
        batch: &mut Batch,
        now: Instant,
    ) {
        if let (Some(limits), Some(hit)) = (&self.limits, refused.hit) {
            self.count_hit(limits, hit, batch);
        }
        state.exchanges.begin(refused.method, now, &self.stats);
        state.metered.has_acted = true;
        if refused.hit.is_some_and(|hit| hit.action != ANSWER) {
            self.cut_off(state);
        } else if refused.has_body || refused.switch || !refused.keep_alive {
            self.answer_last(state, &refused.answer, refused.is_head);
        } else {
            self.answer(state, &refused.answer);
        }
    }

    /// Answers a request without a body, behind which the connection is kept.
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
            // proto leaves it out where the method is HEAD.
            body: Body::Copied(answer.body.as_bytes()),
            end: Some(block(b"", 0)),
            last: false,
            cork: false,
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

    fn cut_off(&self, state: &mut State) {
        self.stop_input(state);
        state.end(Ending::Reset);
    }

    fn stop_input(&self, state: &mut State) {
        state.metered.is_refused = true;
        state.metered.has_acted = true;
        state.close_noted = Some(Close::for_reason(LIMIT));
        if state.input.mode == Mode::Parsing {
            state.input.mode = Mode::Held;
        }
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

    /// Carries out what [`Self::cut`] has left for its turn.
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

    /// Takes the answer to the request that comes next in its turn.
    pub(crate) fn take_answer(&self) -> Option<Answer> {
        self.lock().metered.answers.pop_front()
    }

    // Bodies.

    /// Notes that a head with a body has come.
    pub(super) fn body_begins(&self, state: &mut State, now: Instant) {
        state.metered.body = 0;
        state.metered.began = Some(now);
        state.metered.span = Some((now, state.bytes_read));
        state.metered.was_held = false;
    }

    /// Counts a part of the body. The limit that it is beyond, if it is.
    pub(super) fn body_grows(&self, state: &mut State, len: usize) -> Option<Hit> {
        let limits = self.limits.as_ref()?;
        state.metered.body += len as u64;
        (state.metered.body > limits.max(BODY_SIZE)?).then(|| limits.hit(BODY_SIZE))
    }

    pub(super) fn body_ends(&self, state: &mut State) {
        state.metered.began = None;
        state.metered.span = None;
    }

    /// The time limit that is over, or else when to look next.
    pub(super) fn check_pace(
        &self,
        state: &mut State,
        now: Instant,
    ) -> Result<Option<Instant>, Hit> {
        let Some(limits) = &self.limits else {
            return Ok(None);
        };
        if state.metered.is_refused
            || state.metered.pending.is_some()
            || state.input.mode != Mode::Parsing
            || state.is_over()
        {
            return Ok(None);
        }
        let mut next: Option<Instant> = None;
        let mut look_at = |at: Instant| next = Some(next.map_or(at, |next| next.min(at)));
        if let Some(time) = limits.time(HEADERS_TIMEOUT)
            && let Some(began) = state.timing.head_began()
        {
            let due = began + time;
            if due > now {
                look_at(due);
            } else if state.proto.outstanding() != 0 {
                // An answer is under way, behind which the next head has time.
                look_at(now + LATER);
            } else {
                return Err(limits.hit(HEADERS_TIMEOUT));
            }
        }
        let Some(began) = state.metered.began else {
            return Ok(next);
        };
        if let Some(time) = limits.time(BODY_TIMEOUT) {
            let due = began + time;
            if due > now {
                look_at(due);
            } else if state.metered.was_held {
                // It could not come for want of room here.
                state.metered.was_held = false;
                look_at(now + LATER);
            } else {
                return Err(limits.hit(BODY_TIMEOUT));
            }
        }
        if let Some(rate) = limits.max(BODY_BYTES_PER_SECOND)
            && let Some((since, read)) = state.metered.span
        {
            let mut due = since + limits.grace();
            if due <= now {
                let came = (state.bytes_read - read) as f64;
                let is_slow = came < rate as f64 * limits.grace().as_secs_f64();
                if is_slow && !state.metered.was_held && !state.paused {
                    return Err(limits.hit(BODY_BYTES_PER_SECOND));
                }
                state.metered.was_held = false;
                state.metered.span = Some((now, state.bytes_read));
                due = now + limits.grace();
            }
            look_at(due);
        }
        Ok(next)
    }

    // Sums.

    /// Brings the sums of the server up to date with this connection. Called where what it holds changes, with the state
    /// locked.
    pub(super) fn account(&self, state: &mut State) {
        let Some(limits) = &self.limits else {
            return;
        };
        let now = if state.close_counted {
            Account::default()
        } else {
            Account {
                requests: state.exchanges.len(),
                bytes: self.unread() + state.input.len() + state.output_len(),
            }
        };
        let before = std::mem::replace(&mut state.metered.account, now);
        limits.account(before, now);
    }

    /// [`Self::account`], behind what was said: the end of the connection if it holds more bytes than it may.
    pub(super) fn keep_accounts(&self, state: &mut State) {
        self.account(state);
        let (Some(limits), Some(queue)) = (&self.limits, self.queue()) else {
            return;
        };
        let bytes = state.metered.account.bytes;
        if bytes != 0
            && !state.metered.is_refused
            && !state.has_failed()
            && let Some(hit) = limits.beyond_bytes(bytes)
        {
            self.count_hit(limits, hit, &mut queue.lock());
            self.cut_off(state);
        }
    }

    /// True if nothing more is taken from the peer for now: a limit was met beyond which things wait.
    pub(super) fn is_held(&self, state: &State) -> bool {
        let is_held = self.limits.as_ref().is_some_and(|limits| {
            limits.holds(state.metered.account.bytes, !state.proto.receiving())
        });
        if is_held {
            state.metered.gated.set(true);
        }
        is_held
    }
}
