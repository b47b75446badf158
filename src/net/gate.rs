//! Lets accepted connections in, or turns them away, as the limits of their server say.

use std::sync::Arc;

use bytes::Bytes;
use socket2::Socket;

use super::admission::{Admission, Place};
use super::answer::{Answer, REFUSED_CONNECTION};
use super::event::Event;
use super::limit_kinds::{ANSWER, Hit};
use super::linger::{self, Leave};
use super::options::ServerOptions;
use super::output::Output;
use super::server_limits::ServerLimits;
use super::shared::Shared;

/// Lets an accepted socket in, or turns it away: then there is nothing. On an I/O thread.
pub(super) fn admit(
    socket: &Arc<Socket>,
    server: &ServerOptions,
    shared: &Arc<Shared>,
) -> Option<Option<Admission>> {
    let Some(limits) = &server.limits else {
        return Some(None);
    };
    match Admission::decide(limits, socket) {
        Ok(admission) => Some(Some(admission)),
        Err(hit) => {
            if limits.count(hit.limit, &server.stats) {
                shared.queue.push(Event::Limited {
                    owner: limits.owner,
                });
            }
            if hit.action == ANSWER {
                turn_away(socket, limits, hit, server, shared);
            }
            None
        }
    }
}

/// Answers a connection before it asks, and closes it.
fn turn_away(
    socket: &Arc<Socket>,
    limits: &Arc<ServerLimits>,
    hit: Hit,
    server: &ServerOptions,
    shared: &Arc<Shared>,
) {
    let Some(place) = Place::among(limits) else {
        return;
    };
    let mut rest = Output::default();
    let answer = Answer::for_limit(hit.limit, limits);
    rest.push(Bytes::from(answer.render(REFUSED_CONNECTION)));
    let leave = Leave {
        rest,
        fin: true,
        reads: true,
        stats: Arc::clone(&server.stats),
        place: Some(place),
    };
    linger::leave(shared, Arc::clone(socket), None, leave);
}
