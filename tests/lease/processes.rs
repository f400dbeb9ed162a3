//! Owners in another process, which is killed or paused.

use std::time::{Duration, Instant};

use reinhardt_backends::lease::Renewal;
use reinhardt_backends_tests::{Second, Server};

use crate::{HOUR, PATIENCE, lease};

/// A resource that checks numbers.
#[derive(Default)]
struct Fenced {
    greatest: u64,
}

impl Fenced {
    fn write(&mut self, number: u64) -> bool {
        let is_accepted = number >= self.greatest;
        self.greatest = self.greatest.max(number);
        is_accepted
    }
}

fn holder(server: &Server, ttl: Duration) -> (Second, u64) {
    let ttl = ttl.as_millis().to_string();
    let arguments = ["hold", &server.url(), "job", &ttl];
    let second = Second::start(env!("CARGO_BIN_EXE_second-process"), &arguments);
    let number = second.line().parse().expect("its number");
    (second, number)
}

#[tokio::test]
async fn an_owner_in_another_process_keeps_others_out() {
    let server = Server::start();
    let lease = lease(&server.connect().await, HOUR);
    let (mut second, number) = holder(&server, HOUR);
    assert!(lease.acquire().await.unwrap().is_none());
    assert_eq!(second.ask("renew"), "Held");
    assert_eq!(second.ask("release"), "true");
    let guard = lease.acquire().await.unwrap().expect("it was released");
    assert!(guard.fencing_number() > number);
}

#[tokio::test]
async fn a_killed_owner_frees_the_lease_after_its_time() {
    let server = Server::start();
    let lease = lease(&server.connect().await, HOUR);
    let ttl = Duration::from_secs(2);
    // Granted after this, so it can't end before the time has passed from here.
    let before = Instant::now();
    let (second, number) = holder(&server, ttl);
    second.kill();
    let guard = lease.acquire_within(PATIENCE).await.unwrap();
    let guard = guard.expect("it ends by itself");
    assert!(before.elapsed() >= ttl, "it was held until its end");
    assert!(guard.fencing_number() > number);
}

#[tokio::test]
async fn a_paused_owner_has_lost_the_lease_and_its_number_is_refused() {
    let server = Server::start();
    let lease = lease(&server.connect().await, HOUR);
    let (mut second, stale) = holder(&server, Duration::from_secs(1));
    second.pause();
    let mut held = lease.acquire_within(PATIENCE).await.unwrap().unwrap();
    let mut resource = Fenced::default();
    assert!(resource.write(stale));
    assert!(resource.write(held.fencing_number()));

    second.resume();
    // The second process goes on as if nothing had happened.
    let number = second.ask("number").parse().unwrap();
    assert_eq!(number, stale);
    assert!(!resource.write(number), "a stale number is refused");
    assert_eq!(second.ask("is_held"), "false");
    assert_eq!(second.ask("renew"), "Lost");
    assert_eq!(second.ask("release"), "false");
    assert_eq!(held.renew().await.unwrap(), Renewal::Held);
    assert!(lease.acquire().await.unwrap().is_none());
    assert!(resource.write(held.fencing_number()));
    assert!(held.release().await.unwrap());
}
