//! Limits by the paths of constants, alone and mixed with text, and passed on by macros.

use std::time::Duration;

use reinhardt_backends::keyspace::Throttled;
use reinhardt_backends::throttle::Quota;
use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend, keyspaces};

mod limits {
    use super::{Duration, Quota};

    pub const LOGIN: Quota = Quota::gcra(2, Duration::from_secs(60)).with_burst(3);
    pub const DAY: Quota = Quota::sliding_window(100, Duration::from_secs(86_400));
}

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = limits::LOGIN)]
struct Login {
    user: u64,
}

#[derive(Keyspace)]
#[keyspace(prefix = "api", limit = [limits::LOGIN, "500/h", self::limits::DAY])]
struct Api<'a> {
    route: &'a str,
}

macro_rules! throttle {
    ($name:ident, $prefix:literal, $limit:expr) => {
        #[derive(Keyspace)]
        #[keyspace(prefix = $prefix, limit = $limit)]
        struct $name {
            user: u64,
        }
    };
}

throttle!(ByPath, "by-path", limits::LOGIN);
throttle!(ByText, "by-text", "5/min");

#[tokio::main(flavor = "current_thread")]
async fn main() -> BackendResult<()> {
    let hour = Quota::gcra(500, Duration::from_secs(3600));
    assert_eq!(Login::QUOTAS, [limits::LOGIN]);
    assert_eq!(Api::QUOTAS, [limits::LOGIN, hour, limits::DAY]);
    assert_eq!(Login::INFO.value, "limits::LOGIN");
    assert_eq!(Api::INFO.value, "limits::LOGIN and 500/h and self::limits::DAY");
    assert_eq!(ByPath::QUOTAS, Login::QUOTAS);
    assert_eq!(ByText::INFO.value, "5/min");
    assert!(keyspaces().to_string().contains("limits::LOGIN and 500/h"));

    let backend = MemoryBackend::new();
    for _ in 0..3 {
        assert!(Login { user: 7 }.check(&backend).await?.allowed);
        assert!(Api { route: "/" }.check(&backend).await?.allowed);
    }
    assert!(!Login { user: 7 }.check(&backend).await?.allowed);
    assert!(!Api { route: "/" }.check(&backend).await?.allowed);
    let _ = (ByPath { user: 7 }, ByText { user: 7 });
    Ok(())
}
