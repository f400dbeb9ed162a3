//! A small web service on `reinhardt-backends`: login, sessions, a throttled form, a page that is
//! computed once.
//!
//! `cargo run --bin web` runs it in memory; `REDIS_URL=redis://localhost:6379 cargo run --bin web`
//! on a server, which any number of instances can share.
//!
//! | file | shows |
//! |---|---|
//! | `store.rs` | one `Arc<dyn Backend>` for memory and Redis |
//! | `sessions.rs` | sessions and their cookie |
//! | `throttle.rs` | the limits of the login form |
//! | `counter.rs` | counting without losing any |
//! | `report.rs` | a page that takes long and is computed once, and shows that it is at work |
//! | `health.rs` | liveness and readiness |
//! | `inspect.rs` | pages of what the store holds, for operators |
//! | `operate.rs` | `web doctor` and `web inspect`, commands for operators |
//! | `metrics.rs` | what Prometheus reads; `dashboard.json` shows it in Grafana |
//! | `app.rs` | routes, layers and the state that handlers share |

mod app;
mod config;
mod counter;
mod error;
mod health;
mod html;
mod inspect;
mod login;
mod metrics;
mod operate;
mod place;
mod report;
mod sessions;
mod store;
mod throttle;
mod users;

use std::error::Error;
use std::io::{self, IsTerminal};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use reinhardt_backends::inspector::Reads;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing_subscriber::fmt::format::FmtSpan;

use self::app::AppState;
use self::config::Config;
use self::operate::Command;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let command = Command::from_arguments(&arguments);
    let settings = command.and_then(|command| Ok((command, Config::from_env()?)));
    let (command, config) = match settings {
        Ok(settings) => settings,
        Err(mistake) => {
            eprintln!("web: {mistake}\n\n{}", config::USAGE);
            return ExitCode::from(2);
        }
    };
    tracing_subscriber::fmt()
        .with_max_level(config.log)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_span_events(match config.traces {
            true => FmtSpan::CLOSE,
            false => FmtSpan::NONE,
        })
        .init();
    let url = config.redis_url.as_deref();
    let url = url.ok_or("memory ends with its process: REDIS_URL names the server to look at");
    let ended = match (command, url) {
        (Command::Serve, _) => serve(config).await.map(|()| ExitCode::SUCCESS),
        (_, Err(mistake)) => Err(mistake.into()),
        (Command::Doctor, Ok(url)) => operate::examine(url).await.map_err(Into::into),
        (Command::Inspect(words), Ok(url)) => {
            operate::inspect(url, &words).await.map_err(Into::into)
        }
    };
    ended.unwrap_or_else(|error: Box<dyn Error>| {
        eprintln!("web: {error}");
        ExitCode::FAILURE
    })
}

/// Serves until a signal ends the service. Requests under way are answered, then the store is
/// closed.
async fn serve(config: Config) -> Result<(), Box<dyn Error>> {
    // This comes before the URL is printed: a program that reads the URL may end this one at once.
    let end = told_to_end()?;
    let metrics = metrics::install()?;
    let reads = Reads::new();
    let backend = store::open(config.redis_url.as_deref(), &reads).await;
    let backend = backend.map_err(|error| format!("the server at REDIS_URL: {error}"))?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, config.port));
    let listener = TcpListener::bind(address).await;
    let listener =
        listener.map_err(|error| format!("{address}: {error}; PORT says another port"))?;
    let address = listener.local_addr()?;
    place::set(config.redis_url.is_some(), address.port());
    println!("http://{address}");

    let state = AppState {
        sessions: sessions::open(backend.clone())?,
        backend: backend.clone(),
        reads,
        secure_cookies: config.secure_cookies,
        report_time: config.report_time,
        metrics,
    };
    let app = app::router(state)?.into_make_service_with_connect_info::<SocketAddr>();
    let (ending, ends) = oneshot::channel();
    let server = axum::serve(listener, app).with_graceful_shutdown(async {
        end.await;
        tracing::info!("ending: no new connections, requests under way are answered");
        let _ = ending.send(());
    });
    // Requests have a time limit, but a connection on which half a request came has none.
    let overdue = async {
        let _ = ends.await;
        tokio::time::sleep(PATIENCE).await;
    };
    tokio::select! {
        served = server => served?,
        () = overdue => tracing::warn!("gave up on connections that didn't end in {PATIENCE:?}"),
    }
    // A call that nobody waits for any more must not hold up the end.
    if timeout(CLOSING, backend.close()).await.is_err() {
        tracing::warn!("gave up on calls to the store that didn't end in {CLOSING:?}");
    }
    tracing::info!("ended");
    Ok(())
}

/// Listens for `SIGTERM` and Ctrl-C from now on, and returns a future that waits for one of them.
#[cfg(unix)]
fn told_to_end() -> io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Listens for Ctrl-C from now on, and returns a future that waits for it.
#[cfg(windows)]
fn told_to_end() -> io::Result<impl Future<Output = ()> + Send> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
    })
}

/// The time that connections may take to end: longer than a request may take.
const PATIENCE: Duration = app::REQUEST_TIME.saturating_add(Duration::from_secs(2));
/// The time for which calls under way may hold up the end: longer than a call may take.
const CLOSING: Duration = Duration::from_secs(2);
