//! The meaning of a server's error replies, and the part of them that an error may show.

use super::resp::ErrorReply;
use crate::error::{BackendError, ErrorKind};

/// Turns an error reply into ours. Only its code word is kept: the rest may repeat arguments,
/// values included.
pub(crate) fn refusal(error: &ErrorReply) -> BackendError {
    let details = details(error);
    let code = code(error);
    let kind = match code {
        "LOADING" | "READONLY" | "MASTERDOWN" | "CLUSTERDOWN" | "BUSY" | "MISCONF" | "TRYAGAIN"
        | "NOREPLICAS" => ErrorKind::Unavailable,
        "NOAUTH" | "WRONGPASS" | "NOPERM" => ErrorKind::Denied,
        "WRONGTYPE" => ErrorKind::WrongType,
        "OOM" => ErrorKind::Full,
        "NOPROTO" => ErrorKind::Unsupported,
        "ERR" if is_full_of_clients(details) => ErrorKind::Unavailable,
        // The cluster isn't known here: otherwise the request would have gone to the other node.
        "MOVED" => {
            let message = "the server is a node of a cluster and doesn't tell so when it is \
                greeted: name the nodes by a `redis-cluster://` URL";
            return BackendError::new(ErrorKind::InvalidConfig, message);
        }
        _ if is_unknown(error) => return unknown_command(error),
        _ if is_denied_in_script(details) => ErrorKind::Denied,
        _ => ErrorKind::Other,
    };
    refusal_of_kind(kind, error)
}

/// Says whether the server doesn't know the command, or a command in one of our scripts.
pub(crate) fn is_unknown(error: &ErrorReply) -> bool {
    is_unknown_command(details(error)) || is_unsupported_by_proxy(error)
}

/// Names a command that the server doesn't know. It is one of ours, so it holds no argument.
fn unknown_command(error: &ErrorReply) -> BackendError {
    let mut quoted = details(error).split(['\'', '`']).skip(1);
    let is_name = |name: &&str| {
        (2..=16).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_uppercase())
    };
    let what = match quoted.next().filter(is_name) {
        Some(name) => format!("`{name}`"),
        None => "a command".to_string(),
    };
    let code = code_word(code(error));
    let message = format!("the server doesn't know {what} ({code}){}", of_node(error));
    BackendError::new(ErrorKind::Unsupported, message)
}

/// Turns an error reply into an error of this kind.
pub(crate) fn refusal_of_kind(kind: ErrorKind, error: &ErrorReply) -> BackendError {
    let code = code_word(code(error));
    BackendError::new(
        kind,
        format!("the server answered {code}{}", of_node(error)),
    )
}

/// Names the node that answered, where there are several.
fn of_node(error: &ErrorReply) -> String {
    let node = error.node();
    node.map_or_else(String::new, |node| format!(" ({node})"))
}

/// Returns the code word, which Redis 6.2 puts behind others in a script.
pub(crate) fn code(error: &ErrorReply) -> &str {
    code_in_script(error.code(), error.details()).unwrap_or(error.code())
}

/// Finds the code in `@user_script: 3: -OOM command not allowed`, as Redis 6.2 spells an error that
/// a script hands on.
fn code_in_script<'a>(code: &str, details: &'a str) -> Option<&'a str> {
    if !code.starts_with("@user_script") {
        return None;
    }
    let mut words = details.split(' ');
    words.find_map(|word| word.strip_prefix('-'))
}

/// Returns the text behind the code word, without the position in the script that Redis 6.2 puts
/// before it: `@user_script: 3: Unknown Redis command called from Lua script`.
fn details(error: &ErrorReply) -> &str {
    let details = error.details();
    if error.code().starts_with("@user_script") {
        details.split_once(": ").map_or(details, |(_, text)| text)
    } else {
        details
    }
}

fn is_unknown_command(details: &str) -> bool {
    let details = details.to_ascii_lowercase();
    details.starts_with("unknown command")
        || details.starts_with("unknown redis command called from")
        || details.starts_with("unknown subcommand")
        || details.starts_with("unsupported command")
}

/// Some proxies refuse a command without a code word.
fn is_unsupported_by_proxy(error: &ErrorReply) -> bool {
    error.code() == "unsupported" && error.details().starts_with("command")
}

/// Servers have no code word for a command or a key that a script may not use. Redis 6.2 and 7.0
/// speak of the user; Redis 7.2 and Valkey, and what is newer, of an ACL failure.
fn is_denied_in_script(details: &str) -> bool {
    details.starts_with("The user executing the script can't")
        || details.starts_with("ACL failure in script")
}

fn is_full_of_clients(details: &str) -> bool {
    details.starts_with("max number of clients")
}

/// A code is one upper-case word; anything else in its place is not shown.
fn code_word(code: &str) -> &str {
    let is_word = code
        .bytes()
        .all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    if is_word && !code.is_empty() {
        code
    } else {
        "an error"
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::backend::redis::client::location::ServerLocation;
    use crate::backend::redis::client::resp::Reply;

    fn kind(code: &str, details: &str) -> ErrorKind {
        refusal(&ErrorReply::from(format!("{code} {details}").as_str())).kind()
    }

    #[test]
    fn code_words_have_their_meaning() {
        for code in [
            "LOADING",
            "READONLY",
            "MASTERDOWN",
            "CLUSTERDOWN",
            "BUSY",
            "MISCONF",
            "TRYAGAIN",
        ] {
            assert_eq!(kind(code, ""), ErrorKind::Unavailable, "{code}");
        }
        for code in ["NOAUTH", "WRONGPASS", "NOPERM"] {
            assert_eq!(kind(code, ""), ErrorKind::Denied, "{code}");
        }
        assert_eq!(kind("WRONGTYPE", ""), ErrorKind::WrongType);
        assert_eq!(kind("OOM", ""), ErrorKind::Full);
        let in_script = kind("@user_script:", "3: -OOM command not allowed");
        assert_eq!(in_script, ErrorKind::Full);
        assert_eq!(
            kind("ERR", "unknown command 'GETDEL', with args"),
            ErrorKind::Unsupported
        );
        assert_eq!(
            kind("ERR", "max number of clients reached"),
            ErrorKind::Unavailable
        );
        assert_eq!(kind("ERR", "syntax error"), ErrorKind::Other);
    }

    #[test]
    fn a_refusal_inside_a_script_has_the_same_meaning_on_every_version() {
        for (code, details) in [
            (
                "@user_script:",
                "1: The user executing the script can't run this command or subcommand",
            ),
            (
                "@user_script:",
                "1: The user executing the script can't access at least one of the keys mentioned \
                 in the command arguments",
            ),
            (
                "ERR",
                "The user executing the script can't run this command or subcommand",
            ),
            (
                "ERR",
                "ACL failure in script: User app has no permissions to run the 'unlink' command",
            ),
            (
                "ERR",
                "ACL failure in script: No permissions to access a key",
            ),
        ] {
            assert_eq!(kind(code, details), ErrorKind::Denied, "{code} {details}");
        }
        for (code, details) in [
            (
                "@user_script:",
                "1: Unknown Redis command called from Lua script",
            ),
            ("ERR", "Unknown Redis command called from script"),
            ("ERR", "Unknown command called from script"),
        ] {
            let kind = kind(code, details);
            assert_eq!(kind, ErrorKind::Unsupported, "{code} {details}");
        }
        let read_only = kind(
            "@user_script:",
            "4: -READONLY You can't write against a read only replica.",
        );
        assert_eq!(read_only, ErrorKind::Unavailable);
    }

    #[test]
    fn an_error_keeps_the_code_word_alone() {
        let error = refusal(&ErrorReply::from(
            "ERR unknown command 'FOO', with args beginning with: 'topsecret'",
        ));
        assert_eq!(
            error.to_string(),
            "unsupported: the server doesn't know `FOO` (ERR)"
        );
        let of_proxy = refusal(&ErrorReply::from("unsupported command 'UNLINK'"));
        assert_eq!(of_proxy.kind(), ErrorKind::Unsupported, "{of_proxy}");
        assert!(of_proxy.to_string().contains("UNLINK"), "{of_proxy}");
        let error = refusal(&ErrorReply::from("ERR unknown command 'topsecret'"));
        assert!(!error.to_string().contains("topsecret"), "{error}");
        let error = refusal(&ErrorReply::from("topsecret"));
        assert_eq!(
            error.to_string(),
            "backend error: the server answered an error"
        );
    }

    #[test]
    fn an_error_names_the_node_of_a_cluster() {
        let node = Arc::new(ServerLocation::tcp("db-3", 6380, false));
        for (line, expected) in [
            ("OOM topsecret", "the server answered OOM (db-3:6380)"),
            (
                "ERR unknown command 'GETEX'",
                "the server doesn't know `GETEX` (ERR) (db-3:6380)",
            ),
        ] {
            let mut alone = Reply::Error(ErrorReply::from(line));
            let mut of_script = Reply::Array(vec![alone.clone(), Reply::Integer(3)]);
            alone.name_node(&node);
            of_script.name_node(&node);
            let Reply::Error(error) = &alone else {
                panic!("{alone:?}");
            };
            let message = refusal(error).to_string();
            assert!(message.ends_with(expected), "{message}");
            assert_eq!(of_script, Reply::Array(vec![alone, Reply::Integer(3)]));
        }
    }
}
