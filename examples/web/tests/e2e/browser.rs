//! The forms as a person uses them, in a headless Chromium.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::service::Service;

#[tokio::test]
async fn a_person_is_throttled_logs_in_clicks_and_logs_out() {
    let service = Service::start(None, &[]).await;
    let browser = Browser::start().await;
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
    page.goto(url).await?;
    follow(page, "Log in").await?;
    assert_eq!(page.title().await?, "Log in");

    let mut wrong = 0;
    fill_in(page, "ann", "guess").await?;
    // More than five tries pass where this takes so long that tries come back meanwhile.
    while page.title().await? == "Log in" {
        assert_eq!(
            text(page, "[role=alert]").await?,
            "The name or the password is wrong."
        );
        let name = page.find(Locator::Id("user")).await?.prop("value").await?;
        assert_eq!(
            name.as_deref(),
            Some("ann"),
            "the name needn't be typed again"
        );
        wrong += 1;
        assert!(wrong < 50, "nobody stops this");
        fill_in(page, "ann", "guess").await?;
    }
    assert!(wrong >= 5, "{wrong}");
    assert_eq!(text(page, "h1").await?, "Too many tries");
    let wait: u64 = text(page, "#wait").await?.parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");

    follow(page, "Back to the login form").await?;
    fill_in(page, "ben", "blue bird").await?;
    assert_eq!(text(page, "#user").await?, "ben");
    let cookies = page.get_all_cookies().await?;
    assert_eq!(cookies.len(), 1);
    assert_eq!(cookies[0].http_only(), Some(true));

    follow(page, "Counter").await?;
    for clicks in ["1", "2"] {
        press(page, "Click").await?;
        assert_eq!(text(page, "#clicks").await?, clicks);
    }
    page.refresh().await?;
    assert_eq!(text(page, "#clicks").await?, "2", "a reload counts nothing");

    press(page, "Log out ben").await?;
    assert_eq!(page.title().await?, "Log in");
    // The browser keeps none of the pages that were seen.
    page.back().await?;
    assert_eq!(page.title().await?, "Log in");
    assert!(page.get_all_cookies().await?.is_empty());
    Ok(())
}

async fn fill_in(page: &Client, user: &str, password: &str) -> Result<(), CmdError> {
    for (label, typed) in [("Name", user), ("Password", password)] {
        // By the label, as a person finds the field: a field that no label names can't be found.
        let label = format!("//input[@id = //label[. = '{label}']/@for]");
        let field = page.find(Locator::XPath(&label)).await?;
        field.clear().await?;
        field.send_keys(typed).await?;
    }
    press(page, "Log in").await
}

async fn press(page: &Client, button: &str) -> Result<(), CmdError> {
    let button = format!("//button[normalize-space() = '{button}']");
    leave_by(page, Locator::XPath(&button)).await
}

async fn follow(page: &Client, link: &str) -> Result<(), CmdError> {
    leave_by(page, Locator::LinkText(link)).await
}

/// Clicks, and waits until the page is another one, because the driver may answer before that.
async fn leave_by(page: &Client, way_out: Locator<'_>) -> Result<(), CmdError> {
    let element = page.find(way_out).await?;
    element.click().await?;
    let gone = async {
        while element.is_enabled().await.is_ok() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("a click leads on");
    Ok(())
}

async fn text(page: &Client, css: &str) -> Result<String, CmdError> {
    page.find(Locator::Css(css)).await?.text().await
}

/// A Chromium with nothing remembered, and the driver that holds it.
struct Browser {
    client: Client,
    driver: Child,
    _profile: TempDir,
}

impl Browser {
    async fn start() -> Self {
        let chromium = find(&["chromium", "chromium-browser", "google-chrome"]);
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut driver = Command::new(find(&["chromedriver"]))
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver can be started");
        let port = timeout(PATIENCE, port(&mut driver)).await;
        let port = port.expect("chromedriver says its port");
        let capabilities = capabilities(&chromium, profile.path());
        let Value::Object(capabilities) = capabilities else {
            unreachable!("capabilities are an object");
        };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("chromedriver starts Chromium");
        Self {
            client,
            driver,
            _profile: profile,
        }
    }

    /// Ends Chromium and then the driver.
    async fn close(mut self) {
        let closed = self.client.close().await;
        self.driver.kill().await.expect("chromedriver can be ended");
        closed.expect("Chromium ends");
    }
}

async fn port(driver: &mut Child) -> u16 {
    let output = driver.stdout.take().expect("the output is piped");
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await.expect("it can be read") {
        let port = line.split_once("successfully on port ");
        let port = port.and_then(|(_, port)| port.trim_end_matches('.').parse().ok());
        if let Some(port) = port {
            // The later output of the driver is read and dropped, so that it doesn't stop the
            // driver.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return port;
        }
    }
    panic!("chromedriver ended without a port");
}

fn capabilities(chromium: &Path, profile: &Path) -> Value {
    let profile = format!("--user-data-dir={}", profile.display());
    json!({
        "goog:chromeOptions": {
            "binary": chromium,
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", profile,
            ],
        },
    })
}

fn find(programs: &[&str]) -> PathBuf {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates = std::env::split_paths(&folders)
        .flat_map(|folder| programs.iter().map(move |program| folder.join(program)));
    candidates.find(|program| program.is_file()).unwrap_or_else(|| {
        panic!(
            "no {} on PATH: install Chromium and its driver (Debian: `apt-get install chromium chromium-driver`) or use `tests/run`",
            programs[0]
        )
    })
}

const PATIENCE: Duration = Duration::from_secs(30);
