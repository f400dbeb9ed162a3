//! A private service of one primary and replicas, watched by sentinels, ended when dropped.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Authority, Certificate, Server, wait};

/// A primary with two replicas, and three sentinels.
#[derive(Debug)]
pub struct Service {
    servers: Vec<Mutex<Server>>,
    sentinels: Vec<Mutex<Server>>,
}

impl Service {
    /// The name by which the sentinels know the service.
    pub const NAME: &str = "cache";

    /// Starts the service, and waits until all servers and sentinels have found each other.
    ///
    /// # Panics
    ///
    /// If there is no server program, or that takes more than a minute.
    pub fn start() -> Self {
        Self::with_settings(&[])
    }

    /// Starts the service with more settings of the sentinels, as lines of their files.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn with_settings(settings: &[&str]) -> Self {
        Self::of(Server::on_tcp_with, |port| {
            Server::as_sentinel(&watching(port, settings))
        })
    }

    /// Starts the service with servers and sentinels that are reached by TLS.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub fn on_tls(authority: &Authority, certificate: &Certificate) -> Self {
        let server = |settings: &[&str]| {
            let settings = [settings, &["--tls-replication", "yes"]].concat();
            Server::on_tls(authority, certificate, &settings)
        };
        Self::of(server, |port| {
            let lines = watching(port, &[]);
            Server::as_sentinel_on_tls(authority, certificate, &lines)
        })
    }

    fn of(server: impl Fn(&[&str]) -> Server, sentinel: impl Fn(u16) -> Server) -> Self {
        let at_once = ["--repl-diskless-sync-delay", "0"];
        let primary = server(&at_once);
        let port = primary.port();
        let of_it = ["--replicaof", "127.0.0.1", &port.to_string()];
        let replica = || server(&[&at_once[..], &of_it].concat());
        let service = Self {
            servers: [primary, replica(), replica()].map(Mutex::new).into(),
            sentinels: [(); 3].map(|()| Mutex::new(sentinel(port))).into(),
        };
        service.await_ok();
        service
    }

    /// Lets the sentinels soon take a silent primary for failed. Before this call they give it more
    /// time, as it may get no CPU for a while.
    #[must_use]
    pub fn that_is_quick(self) -> Self {
        for sentinel in &self.sentinels {
            let name = Self::NAME;
            let set = format!("SENTINEL SET {name} down-after-milliseconds 1000");
            assert_eq!(locked(sentinel).command(&set), "+OK\r\n");
        }
        self
    }

    fn await_ok(&self) {
        let knows = |sentinel: &Mutex<Server>| {
            let told = locked(sentinel).command("INFO sentinel");
            told.contains("status=ok") && told.contains("slaves=2,sentinels=3")
        };
        wait("all have found each other", || {
            self.sentinels.iter().all(knows)
        });
        wait("the replicas are in step", || self.count_replicas(0) == 2);
    }

    fn count_replicas(&self, primary: usize) -> usize {
        let told = self.server(primary).command("INFO replication");
        told.matches("state=online").count()
    }

    /// Returns the URL that names all sentinels.
    pub fn url(&self) -> String {
        let sentinels = (0..3).map(|index| self.sentinel_address(index));
        let sentinels: Vec<String> = sentinels.collect();
        format!("redis-sentinel://{}/{}", sentinels.join(","), Self::NAME)
    }

    /// Returns the address of a sentinel.
    pub fn sentinel_address(&self, index: usize) -> String {
        format!("127.0.0.1:{}", locked(&self.sentinels[index]).port())
    }

    /// Returns the clients of a sentinel, as it lists them.
    pub fn clients(&self, index: usize) -> String {
        locked(&self.sentinels[index]).command("CLIENT LIST")
    }

    /// Returns the address of a server.
    pub fn address(&self, index: usize) -> String {
        format!("127.0.0.1:{}", self.server(index).port())
    }

    /// Returns a server. Server 0 was the primary at the start.
    pub fn server(&self, index: usize) -> MutexGuard<'_, Server> {
        locked(&self.servers[index])
    }

    /// Kills a sentinel.
    pub fn kill_sentinel(&self, index: usize) {
        locked(&self.sentinels[index]).kill();
    }

    /// Returns the primary that the running sentinels name.
    ///
    /// # Panics
    ///
    /// If the sentinels don't agree within a minute.
    pub fn primary(&self) -> usize {
        let mut primary = None;
        wait("the sentinels agree", || {
            let running = self
                .sentinels
                .iter()
                .filter(|sentinel| locked(sentinel).is_running());
            let named: Vec<_> = running.map(|sentinel| self.named_by(sentinel)).collect();
            primary = named[0].filter(|_| named.iter().all(|other| *other == named[0]));
            primary.is_some()
        });
        primary.expect("the sentinels agree")
    }

    /// Returns the server that a sentinel names.
    fn named_by(&self, sentinel: &Mutex<Server>) -> Option<usize> {
        let ask = format!("SENTINEL GET-MASTER-ADDR-BY-NAME {}", Self::NAME);
        let told = locked(sentinel).command(&ask);
        let port: u16 = told.lines().nth(4)?.parse().ok()?;
        (0..self.servers.len()).find(|index| self.server(*index).port() == port)
    }

    /// Waits until the sentinels name another primary than this one, and returns that other
    /// primary.
    ///
    /// # Panics
    ///
    /// If that takes more than a minute.
    pub fn await_other_than(&self, before: usize) -> usize {
        let mut primary = before;
        wait("another one is the primary", || {
            primary = self.primary();
            primary != before
        });
        primary
    }

    /// Lets a replica take the place of the primary, and returns the new primary.
    ///
    /// # Panics
    ///
    /// If the sentinels refuse, or that takes more than a minute.
    pub fn fail_over(&self) -> usize {
        let before = self.primary();
        let ask = format!("SENTINEL FAILOVER {}", Self::NAME);
        wait("a sentinel begins", || {
            locked(&self.sentinels[0]).command(&ask).starts_with("+OK")
        });
        self.await_other_than(before)
    }

    /// Waits until a replica has all writes that the primary has executed by now.
    ///
    /// # Panics
    ///
    /// If that takes more than ten seconds.
    pub fn replicate(&self, primary: usize) {
        // `WAIT` waits only for the last write of its own connection.
        let replies = self
            .server(primary)
            .command("SET replicate 1\r\nWAIT 2 10000");
        assert!(replies.trim_end().ends_with(":2"), "{replies}");
    }
}

/// Returns the settings of a sentinel that watches a service on a port.
pub fn watching(port: u16, settings: &[&str]) -> String {
    let name = Service::NAME;
    let mut lines = vec![
        format!("sentinel monitor {name} 127.0.0.1 {port} 2"),
        format!("sentinel down-after-milliseconds {name} 30000"),
        format!("sentinel failover-timeout {name} 6000"),
    ];
    lines.extend(settings.iter().map(|line| (*line).to_string()));
    lines.join("\n")
}

fn locked(server: &Mutex<Server>) -> MutexGuard<'_, Server> {
    server.lock().unwrap_or_else(PoisonError::into_inner)
}
