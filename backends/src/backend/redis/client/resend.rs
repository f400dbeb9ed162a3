//! Recognises the refusals that say that nothing was executed, so that the request may be sent
//! again even if it writes.

use std::time::Duration;

use super::refusal::code;
use super::request::Request;
use super::resp::{ErrorReply, Reply};

/// The first and the longest pause before a request is sent again.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The next step after a refusal that came before anything was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resend {
    /// The server takes no writes: the server that the address leads to now may.
    Elsewhere,
    /// The server isn't ready: ask again after a pause.
    Later,
    /// Another node of the cluster serves the slot.
    Moved,
    /// The key is on its way to another node of the cluster.
    Asked,
}

/// Returns the next step after the reply to a request, if the reply refuses all of it.
///
/// Each of our scripts answers with a refusal of its first write before it has changed anything,
/// and no later write can be refused so.
pub(super) fn resend<'r>(request: &Request, reply: &'r Reply) -> Option<(Resend, &'r ErrorReply)> {
    match (request, reply) {
        #[cfg(feature = "redis-commands")]
        (Request::Raw(raw), _) => {
            let is_redirection =
                |(resend, _): &(Resend, _)| matches!(resend, Resend::Moved | Resend::Asked);
            of_error(reply).filter(|resend| raw.may_be_redirected && is_redirection(resend))
        }
        (_, Reply::Error(_)) => of_error(reply),
        // Of two elements, the first is the count or the refusal.
        (Request::Keyed(_), Reply::Array(parts)) => of_error(parts.first()?),
        (Request::Many(_), Reply::Array(replies)) => {
            let first = of_error(replies.first()?)?;
            let is_alike = |reply| of_error(reply).is_some_and(|(resend, _)| resend == first.0);
            replies.iter().all(is_alike).then_some(first)
        }
        _ => None,
    }
}

/// Says whether the reply refuses a command before it was executed.
pub(super) fn is_refused(reply: &Reply) -> bool {
    of_error(reply).is_some()
}

/// Says whether the reply, or one of several, comes from a server that takes no writes.
pub(super) fn is_from_wrong_server(reply: &Reply) -> bool {
    match reply {
        Reply::Error(error) => of_refusal(error) == Some(Resend::Elsewhere),
        Reply::Array(replies) => replies
            .iter()
            .any(|reply| matches!(of_error(reply), Some((Resend::Elsewhere, _)))),
        _ => false,
    }
}

/// Says whether the reply, or one of several, comes of a connection that isn't logged in.
pub(super) fn is_logged_out(reply: &Reply) -> bool {
    let is_logged_out =
        |reply: &Reply| matches!(reply, Reply::Error(error) if code(error) == "NOAUTH");
    match reply {
        Reply::Array(replies) => replies.iter().any(is_logged_out),
        reply => is_logged_out(reply),
    }
}

/// Returns the pause before a request is sent again that was refused so often before; `factor`
/// shortens it.
pub(super) fn pause(refused: u32, factor: f64) -> Duration {
    let pause = FIRST_PAUSE * (1 << refused.min(6));
    pause.min(LONGEST_PAUSE).mul_f64(factor)
}

fn of_error(reply: &Reply) -> Option<(Resend, &ErrorReply)> {
    match reply {
        Reply::Error(error) => Some((of_refusal(error)?, error)),
        _ => None,
    }
}

fn of_refusal(error: &ErrorReply) -> Option<Resend> {
    match code(error) {
        "READONLY" | "MASTERDOWN" => Some(Resend::Elsewhere),
        "LOADING" | "CLUSTERDOWN" | "TRYAGAIN" => Some(Resend::Later),
        "MOVED" => Some(Resend::Moved),
        "ASK" => Some(Resend::Asked),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::redis::client::resp::Command;

    fn error(line: &str) -> Reply {
        Reply::Error(line.into())
    }

    fn advice(request: &Request, reply: &Reply) -> Option<Resend> {
        resend(request, reply).map(|(resend, _)| resend)
    }

    #[test]
    fn a_refusal_before_anything_was_executed_is_told_from_others() {
        let request = Request::One(Command::new("SET"));
        for (line, expected) in [
            ("READONLY You can't write", Some(Resend::Elsewhere)),
            ("MASTERDOWN Link down", Some(Resend::Elsewhere)),
            ("LOADING", Some(Resend::Later)),
            ("TRYAGAIN Multiple keys", Some(Resend::Later)),
            ("CLUSTERDOWN Hash slot not served", Some(Resend::Later)),
            ("MOVED 3999 127.0.0.1:6381", Some(Resend::Moved)),
            ("ASK 3999 127.0.0.1:6381", Some(Resend::Asked)),
            ("NOSCRIPT No matching script", None),
            ("@user_script: 3: -READONLY no", Some(Resend::Elsewhere)),
            ("BUSY a script runs", None),
            ("OOM", None),
            ("MISCONF", None),
            ("NOREPLICAS", None),
            ("ERR READONLY", None),
        ] {
            assert_eq!(advice(&request, &error(line)), expected, "{line}");
        }
    }

    #[test]
    fn several_commands_are_sent_again_only_if_all_were_refused() {
        let request = Request::Many(vec![Command::new("SET"), Command::new("SET")]);
        let refused = || error("READONLY");
        let all = Reply::Array(vec![refused(), refused()]);
        assert_eq!(advice(&request, &all), Some(Resend::Elsewhere));
        for others in [Reply::Status, error("OOM"), error("LOADING")] {
            let some = Reply::Array(vec![refused(), others]);
            assert_eq!(advice(&request, &some), None);
            assert!(is_from_wrong_server(&some));
        }
        assert_eq!(advice(&request, &Reply::Array(Vec::new())), None);
    }

    #[test]
    fn pauses_grow() {
        let pauses: Vec<_> = (0..9)
            .map(|refused| pause(refused, 1.0).as_millis())
            .collect();
        assert_eq!(pauses, [25, 50, 100, 200, 400, 800, 1000, 1000, 1000]);
        assert_eq!(pause(0, 0.8).as_millis(), 20);
    }
}
