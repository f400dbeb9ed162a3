//! The rights of a user, as the server tells them.

use std::collections::BTreeSet;

use reinhardt_backends::doctor::{Doctor, FindingKind, Report, Rights, Severity};
use reinhardt_backends::{ErrorKind, RedisBackend};
use reinhardt_backends_tests::Server;

use super::{fill, of_kind, row, the};

async fn as_user(server: &Server, user: &str) -> RedisBackend {
    let url = format!("redis://{user}:pa55@127.0.0.1:{}", server.port());
    RedisBackend::new(&url).await.unwrap()
}

/// Examines a server as its operator, for the rights of `app`.
async fn rights_of_app(rules: &str) -> Report {
    let server = Server::on_tcp();
    let set = server.command(&format!("ACL SETUSER app reset on >pa55 {rules}"));
    assert!(!set.starts_with('-'), "{set}");
    let backend = server.connect().await;
    fill(&backend).await;
    Doctor::new().user("app").examine(&backend).await.unwrap()
}

#[tokio::test]
async fn all_rights_are_told() {
    let report = rights_of_app("~* +@all").await;
    assert_eq!(report.servers[0].rights, Rights::All);
    assert!(!report.has(FindingKind::RightsMissing) && !report.has(FindingKind::RightsUnchecked));
}

/// The page on running on Redis names the rights of a user who may do everything.
#[tokio::test]
async fn the_rights_that_the_page_names_are_enough_and_none_is_too_much() {
    let page = include_str!("../../backends/docs/redis.md");
    let line = page
        .lines()
        .find(|line| line.starts_with("ACL SETUSER app on >secret"));
    let rules: Vec<&str> = line.unwrap().split(' ').skip(5).collect();
    let report = rights_of_app(&rules.join(" ")).await;
    assert_eq!(report.servers[0].rights, Rights::All, "{report}");
    let report = rights_of_app("~reinhardt:*").await;
    let Rights::Missing { commands, .. } = &report.servers[0].rights else {
        panic!("{report}");
    };
    let asked: BTreeSet<String> = commands.iter().cloned().collect();
    let named = rules.iter().filter_map(|rule| rule.strip_prefix('+'));
    let named: BTreeSet<String> = named
        .map(|rule| rule.to_uppercase().replace('|', " "))
        .chain(["DEL".to_string()])
        .collect();
    assert_eq!(asked, named);
}

#[tokio::test]
async fn a_command_that_the_user_may_not_send_is_named() {
    let report = rights_of_app("~* +@all -getdel -incrby").await;
    let finding = the(&report, FindingKind::RightsMissing);
    assert_eq!(finding.severity, Severity::Warning);
    assert!(
        finding.message.contains("may not send GETDEL, INCRBY"),
        "{report}"
    );
    // The library gets along without these.
    let report = rights_of_app("~* +@all -client -info").await;
    let finding = the(&report, FindingKind::RightsMissing);
    assert_eq!(finding.severity, Severity::Note, "{report}");
}

#[tokio::test]
async fn a_keyspace_that_the_user_may_not_use_is_named() {
    // Exactly what the program uses: the first version of `login`, and all of the rest but `api`.
    let rules = "~reinhardt:login:* ~reinhardt:pass* ~reinhardt:solo@2:* ~reinhardt:account:* \
        ~reinhardt:forgiving:* ~reinhardt:teaser:* ~reinhardt:teaser@lease:* ~reinhardt:hits:* \
        ~reinhardt:tries:* ~reinhardt:settings: ~reinhardt:staff:* ~reinhardt:traffic-* +@all";
    let report = rights_of_app(rules).await;
    let finding = the(&report, FindingKind::RightsMissing);
    assert_eq!(finding.severity, Severity::Warning);
    assert!(
        finding
            .message
            .contains("may not write keys of api, login@2:"),
        "{report}"
    );
}

/// The user of an operator needs what the page says, and no right to write.
#[tokio::test]
async fn an_operator_may_have_the_rights_that_the_page_names_and_no_others() {
    let server = Server::on_tcp();
    fill(&server.connect().await).await;
    let page = include_str!("../../backends/docs/redis.md");
    let line = page
        .lines()
        .find(|line| line.starts_with("ACL SETUSER doctor on >secret"));
    let rules: Vec<&str> = line.unwrap().split(' ').skip(5).collect();
    let set = server.command(&format!(
        "ACL SETUSER op reset on >pa55 {}",
        rules.join(" ")
    ));
    assert!(!set.starts_with('-'), "{set}");
    server.command("ACL SETUSER app reset on >pa55 ~* +@all");
    let backend = as_user(&server, "op").await;
    let report = Doctor::new().user("app").examine(&backend).await.unwrap();
    assert_eq!(report.servers[0].rights, Rights::All, "{report}");
    assert_eq!(report.worst(), Some(Severity::Note), "{report}");
    assert!(!report.has(FindingKind::Unread) && !report.has(FindingKind::ServerUnchecked));
}

#[tokio::test]
async fn a_command_that_the_server_does_not_have_is_missing() {
    let server = Server::with_settings(&["--rename-command", "GETDEL", ""]);
    let backend = server.connect().await;
    let report = Doctor::new().examine(&backend).await.unwrap();
    assert!(
        the(&report, FindingKind::RightsMissing)
            .message
            .contains("GETDEL"),
        "{report}"
    );
}

#[tokio::test]
async fn a_user_who_may_not_ask_is_unchecked_and_the_rest_is_examined() {
    let server = Server::on_tcp();
    fill(&server.connect().await).await;
    server.command("ACL SETUSER app reset on >pa55 ~* +@all -acl -info -dbsize");
    let backend = as_user(&server, "app").await;
    let report = Doctor::new().examine(&backend).await.unwrap();
    let finding = the(&report, FindingKind::RightsUnchecked);
    assert_eq!(finding.severity, Severity::Note);
    assert!(finding.message.contains("NOPERM"), "{report}");
    assert!(report.has(FindingKind::ServerUnchecked));
    assert_eq!(report.servers[0].key_count, None);
    assert_eq!(
        report.keyspaces.iter().map(|row| row.sampled).sum::<u64>(),
        5
    );
    assert!(report.to_string().contains('?'));
}

#[tokio::test]
async fn an_unknown_user_is_unchecked() {
    let server = Server::start();
    let backend = server.connect().await;
    let report = Doctor::new()
        .user("nobody")
        .examine(&backend)
        .await
        .unwrap();
    assert!(report.has(FindingKind::RightsUnchecked), "{report}");
}

#[tokio::test]
async fn entries_that_the_user_may_not_read_are_a_finding() {
    let server = Server::on_tcp();
    fill(&server.connect().await).await;
    server.command("ACL SETUSER app reset on >pa55 ~reinhardt:hits* +@all");
    let report = Doctor::new()
        .examine(&as_user(&server, "app").await)
        .await
        .unwrap();
    let found = of_kind(&report, FindingKind::Unread);
    let denied: Vec<&str> = found.iter().map(|finding| &*finding.subject).collect();
    assert_eq!(
        denied,
        ["login@2", "settings", "teaser", "tries"],
        "{report}"
    );
    assert_eq!(row(&report, "hits").sampled, 1);
    assert_eq!(row(&report, "teaser").sampled, 0);
}

#[tokio::test]
async fn a_user_who_may_not_scan_gets_an_error() {
    let server = Server::on_tcp();
    server.command("ACL SETUSER app reset on >pa55 ~* +@all -scan");
    let error = Doctor::new()
        .examine(&as_user(&server, "app").await)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
}

#[tokio::test]
async fn a_server_that_can_not_be_asked_is_unchecked() {
    let server = Server::with_settings(&["--rename-command", "ACL", ""]);
    let backend = server.connect().await;
    let report = Doctor::new().examine(&backend).await.unwrap();
    let finding = the(&report, FindingKind::RightsUnchecked);
    assert!(finding.message.contains("Redis 7.0"), "{report}");
}
