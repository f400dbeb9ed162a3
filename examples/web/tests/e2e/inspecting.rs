//! The inspector, as an operator uses it on a phone, and as everybody else finds it.

use std::time::Duration;

use fantoccini::error::CmdError;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, Locator};
use reinhardt_backends_tests::Server;
use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::chromium::{Browser, follow, press, text};
use crate::service::Service;
use crate::visitor::Visitor;

#[tokio::test]
async fn nobody_but_an_operator_gets_anything_of_the_inspector() {
    let service = Service::start(None, &[]).await;
    let operator = Visitor::new(service.url());
    operator.log_in("ann", "apple pie").await;
    operator.post("/counter", &[]).await;
    let list = operator.get("/inspector").await;
    assert_eq!(list.status, StatusCode::OK);
    assert!(list.html.contains(">clicks</a>"), "{}", list.html);

    let stranger = Visitor::new(service.url());
    let user = Visitor::new(service.url());
    user.log_in("ben", "blue bird").await;
    for visitor in [stranger, user] {
        for path in [
            "",
            "/style.css",
            "/script.js",
            "/keyspaces/clicks",
            "/entries/x",
            "/x",
        ] {
            let path = format!("/inspector{path}");
            for page in [visitor.get(&path).await, visitor.post(&path, &[]).await] {
                assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}");
                assert!(page.html.len() < 200, "{}", page.html);
            }
        }
    }
    operator.post("/logout", &[]).await;
    assert_eq!(
        operator.get("/inspector").await.status,
        StatusCode::FORBIDDEN
    );
}

/// The commands see what the service has stored, and the doctor finds nothing wrong with it.
#[tokio::test]
async fn operators_have_commands_for_the_same_store() {
    let server = Server::on_tcp();
    let url = server.url();
    let service = Service::start(Some(&url), &[]).await;
    let visitor = Visitor::new(service.url());
    let cookie = visitor.log_in("ann", "apple pie").await;
    visitor.post("/counter", &[]).await;
    let command = |words: &[&str], redis: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_web"));
        command.args(words).env_clear().env("REDIS_URL", redis);
        let output = command.output().expect("the program can be started");
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.code(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    };
    let (code, report) = command(&["doctor"], &url);
    assert_eq!(code, Some(0), "{report}");
    assert!(
        report.contains("clicks") && report.contains("0 undeclared keys"),
        "{report}"
    );
    let (code, list) = command(&["inspect"], &url);
    assert_eq!(code, Some(0), "{list}");
    assert!(list.contains("clicks"), "{list}");
    let (_, id) = cookie.split_once("session=").unwrap();
    let id = id.split(';').next().unwrap();
    assert!(!report.contains(id) && !list.contains(id));
    // A list, where an entry is expected.
    server.command("RPUSH web:clicks:x a");
    assert_eq!(command(&["doctor"], &url).0, Some(1));
    assert_eq!(command(&["doctor"], "").0, Some(1));
    assert_eq!(command(&["repair"], &url).0, Some(2));
}

#[tokio::test]
async fn sessions_and_tries_are_counted_and_not_shown() {
    let service = Service::start(None, &[]).await;
    let operator = Visitor::new(service.url());
    let cookie = operator.log_in("ann", "apple pie").await;
    operator.try_log_in("ben", "guess").await;
    let (_, id) = cookie.split_once("session=").unwrap();
    let id = id.split(';').next().unwrap();
    for path in [
        "",
        "/keyspaces/login-session",
        "/keyspaces/login",
        "/keyspaces/login-address",
    ] {
        let page = operator.get(&format!("/inspector{path}")).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(
            !page.html.contains(id) && !page.html.contains("127.0.0.1"),
            "{}",
            page.html
        );
        assert!(!page.html.contains("href=\"../entries/"), "{}", page.html);
    }
}

#[tokio::test]
async fn an_operator_looks_at_an_entry_on_a_phone_and_deletes_it() {
    let service = Service::start(None, &[("REPORT_TIME", "1ms")]).await;
    let browser = Browser::start_on_a_phone().await;
    let page = browser.client.clone();
    let url = service.url().to_string();
    // In a task of its own, so that the browser is closed also when an assertion fails in there.
    let visit = tokio::spawn(async move { visit(&page, &url).await });
    let outcome = visit.await;
    browser.close().await;
    outcome
        .expect("the visit ends")
        .expect("the browser does as told");
}

async fn visit(page: &Client, url: &str) -> Result<(), CmdError> {
    page.goto(&format!("{url}/login")).await?;
    for (field, typed) in [("user", "ann"), ("password", "apple pie")] {
        page.find(Locator::Id(field))
            .await?
            .send_keys(typed)
            .await?;
    }
    press(page, "Log in").await?;
    page.goto(&format!("{url}/reports/north")).await?;
    page.goto(url).await?;
    follow(page, "Inspector").await?;
    assert_eq!(text(page, "h1").await?, "Keyspaces");
    fits(page).await?;

    follow(page, "report").await?;
    assert_eq!(text(page, "h1").await?, "report");
    fits(page).await?;
    follow(page, "North").await?;
    fits(page).await?;
    assert!(text(page, ".tree").await?.contains("Orders by quarter"));
    counts_down(page).await?;

    follow(page, "All entries of report").await?;
    let label = "//input[@id = //label[. = 'region']/@for]";
    let field = page.find(Locator::XPath(label)).await?;
    field.send_keys("North").await?;
    press(page, "Look up").await?;
    assert_eq!(text(page, "h1").await?, "Entry of report");
    let address = page.current_url().await?;
    assert!(!address.as_str().contains("North"), "{address}");

    press(page, "Delete this entry").await?;
    assert_eq!(text(page, "h1").await?, "Delete this entry of report?");
    fits(page).await?;
    follow(page, "No, keep it").await?;
    press(page, "Delete this entry").await?;
    press(page, "Yes, delete it").await?;
    assert_eq!(text(page, "[role=status]").await?, "The entry is deleted.");
    follow(page, "All entries of report").await?;
    assert!(text(page, "main").await?.contains("There are none."));
    fits(page).await?;
    assert_eq!(complaints(page).await?, Vec::<String>::new());
    Ok(())
}

/// Makes sure that the page itself doesn't scroll sideways.
async fn fits(page: &Client) -> Result<(), CmdError> {
    let widths = "return [document.documentElement.scrollWidth, window.innerWidth]";
    let widths = page.execute(widths, Vec::new()).await?;
    assert_eq!(widths[1], 390, "a phone");
    assert!(widths[0].as_u64() <= widths[1].as_u64(), "{widths}");
    Ok(())
}

async fn counts_down(page: &Client) -> Result<(), CmdError> {
    let first = text(page, "#left").await?;
    assert!(first.contains("min") || first.ends_with('s'), "{first}");
    for _ in 0..500 {
        if text(page, "#left").await? != first {
            return Ok(());
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("it stays at {first}");
}

/// Returns what the browser has complained about since it was started: mistakes of scripts, and
/// anything that the policy of a page has refused.
async fn complaints(page: &Client) -> Result<Vec<String>, CmdError> {
    let log = page.issue_cmd(BrowserLog).await?;
    let lines = log.as_array().cloned().unwrap_or_default();
    Ok(lines.iter().map(Value::to_string).collect())
}

/// The command of chromedriver that returns what the browser has logged.
#[derive(Debug)]
struct BrowserLog;

impl WebDriverCompatibleCommand for BrowserLog {
    fn endpoint(
        &self,
        base: &Url,
        session: Option<&str>,
    ) -> Result<Url, <Url as std::str::FromStr>::Err> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/se/log"))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        let body = json!({ "type": "browser" });
        (Method::POST, Some(body.to_string()))
    }
}
