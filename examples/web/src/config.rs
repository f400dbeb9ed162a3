//! The settings that the environment holds.

use std::env;
use std::str::FromStr;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

/// The settings of the service.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) port: u16,
    pub(crate) redis_url: Option<String>,
    pub(crate) secure_cookies: bool,
    pub(crate) report_time: Duration,
    pub(crate) log: LevelFilter,
    /// True if each span is a line of the log when it ends.
    pub(crate) traces: bool,
}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    ///
    /// A sentence about the first variable whose value can't be used.
    pub(crate) fn from_env() -> Result<Self, String> {
        Ok(Self {
            port: parsed("PORT", 3000)?,
            redis_url: text("REDIS_URL")?,
            secure_cookies: parsed("SECURE_COOKIES", false)?,
            report_time: parsed("REPORT_TIME", REPORT_TIME.into())
                .map(humantime::Duration::into)?,
            log: parsed("LOG", LevelFilter::INFO)?,
            traces: parsed("TRACES", false)?,
        })
    }
}

fn parsed<T: FromStr>(name: &str, otherwise: T) -> Result<T, String> {
    match text(name)? {
        None => Ok(otherwise),
        Some(text) => text
            .parse()
            .map_err(|_| format!("{name} can't be \"{text}\"")),
    }
}

/// Returns the text of a variable. An empty variable counts as none.
fn text(name: &str) -> Result<Option<String>, String> {
    match env::var(name) {
        Ok(text) => Ok(Some(text).filter(|text| !text.is_empty())),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(format!("{name} is no text")),
    }
}

pub(crate) const USAGE: &str = "\
usage: web | web doctor | web inspect [KEYSPACE [KEY FIELD ..]]

Serves on 127.0.0.1 and prints the URL; or looks at the server for what is wrong, or for what is there.
The environment says the rest:
  PORT=3000             the port; 0 takes a free one
  REDIS_URL=            redis://localhost:6379 or the like; memory without one
  SECURE_COOKIES=false  true where the service is reached over https
  REPORT_TIME=300ms     how long a report takes to compute
  LOG=info              off, error, warn, info, debug or trace
  TRACES=false          true logs each request and each call of the store with its time";

const REPORT_TIME: Duration = Duration::from_millis(300);
