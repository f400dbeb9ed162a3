//! An owner in another process keeps others out until it is killed or paused for too long.

use std::time::{Duration, Instant};

use reinhardt_backends::lease::Renewal;
use reinhardt_backends_tests::{PeerProcess, Server};

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

fn holder(server: &Server, ttl: Duration) -> (PeerProcess, u64) {
    let ttl = ttl.as_millis().to_string();
    let arguments = ["hold", &server.url(), "job", &ttl];
    let peer = PeerProcess::start(env!("CARGO_BIN_EXE_peer-process"), &arguments);
    let number = peer.line().parse().expect("its number");
    (peer, number)
}

#[tokio::test]
async fn an_owner_in_another_process_keeps_others_out() {
    let server = Server::start();
    let lease = lease(&server.connect().await, HOUR);
    let (mut peer, number) = holder(&server, HOUR);
    assert!(lease.acquire().await.unwrap().is_none());
    assert_eq!(peer.ask("renew"), "Held");
    assert_eq!(peer.ask("release"), "true");
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
    let (peer, number) = holder(&server, ttl);
    peer.kill();
    let guard = lease.acquire_within(PATIENCE).await.unwrap();
    let guard = guard.expect("it ends by itself");
    assert!(before.elapsed() >= ttl, "it was held until its end");
    assert!(guard.fencing_number() > number);
}

#[tokio::test]
async fn a_paused_owner_has_lost_the_lease_and_its_number_is_refused() {
    let server = Server::start();
    let lease = lease(&server.connect().await, HOUR);
    let (mut peer, stale) = holder(&server, Duration::from_secs(1));
    peer.pause();
    let mut held = lease.acquire_within(PATIENCE).await.unwrap().unwrap();
    let mut resource = Fenced::default();
    assert!(resource.write(stale));
    assert!(resource.write(held.fencing_number()));

    peer.resume();
    // The peer process goes on as if nothing had happened.
    let number = peer.ask("number").parse().unwrap();
    assert_eq!(number, stale);
    assert!(!resource.write(number), "a stale number is refused");
    assert_eq!(peer.ask("is_held"), "false");
    assert_eq!(peer.ask("renew"), "Lost");
    assert_eq!(peer.ask("release"), "false");
    assert_eq!(held.renew().await.unwrap(), Renewal::Held);
    assert!(lease.acquire().await.unwrap().is_none());
    assert!(resource.write(held.fencing_number()));
    assert!(held.release().await.unwrap());
}
