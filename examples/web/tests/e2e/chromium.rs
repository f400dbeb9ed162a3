//! A headless Chromium, and what a person does with a page.

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

pub(crate) async fn press(page: &Client, button: &str) -> Result<(), CmdError> {
    let button = format!("//button[normalize-space() = '{button}']");
    leave_by(page, Locator::XPath(&button)).await
}

pub(crate) async fn follow(page: &Client, link: &str) -> Result<(), CmdError> {
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

pub(crate) async fn text(page: &Client, css: &str) -> Result<String, CmdError> {
    page.find(Locator::Css(css)).await?.text().await
}

/// A Chromium with nothing remembered, and the driver that holds it.
pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: Child,
    _profile: TempDir,
}

impl Browser {
    /// Starts Chromium with the window of a desk.
    pub(crate) async fn start() -> Self {
        Self::start_with(json!({})).await
    }

    /// Starts Chromium with the screen of a phone, 390 pixels wide.
    pub(crate) async fn start_on_a_phone() -> Self {
        let metrics = json!({ "width": 390, "height": 844, "pixelRatio": 2.0 });
        Self::start_with(json!({ "deviceMetrics": metrics })).await
    }

    async fn start_with(screen: Value) -> Self {
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
        let capabilities = capabilities(&chromium, profile.path(), &screen);
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
    pub(crate) async fn close(mut self) {
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

fn capabilities(chromium: &Path, profile: &Path, screen: &Value) -> Value {
    let profile = format!("--user-data-dir={}", profile.display());
    let mut capabilities = json!({
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": {
            "binary": chromium,
            "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", profile,
            ],
        },
    });
    if screen.as_object().is_some_and(|screen| !screen.is_empty()) {
        capabilities["goog:chromeOptions"]["mobileEmulation"] = screen.clone();
    }
    capabilities
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
