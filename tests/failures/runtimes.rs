//! Calls without a runtime, on one that ends, and on more of them than may have connections.

use futures::FutureExt;
use reinhardt_backends::{Backend, ReadFrom};
use reinhardt_backends_tests::{Server, patient};
use tokio::runtime::{Builder, Runtime};

use super::page::row;
use super::{connect, lazy};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn no_runtime_at_all() {
    let server = Server::start();
    let backend = lazy(patient(&server.url()));
    let error = futures::executor::block_on(backend.set("hiddenkey", "topsecret", None));
    row!("there is no tokio runtime to connect on", Other, NotSent).check(&error.unwrap_err());
    assert!(server.command("DBSIZE").starts_with(":0"));
    let runtime = runtime();
    let backend = runtime.block_on(connect(&server.url()));
    let handle = backend.reading_from(ReadFrom::Replica);
    let error = futures::executor::block_on(handle.get::<u8>("hiddenkey"));
    row!(
        "there is no tokio runtime to ask the servers on",
        Other,
        NoWrite
    )
    .check(&error.unwrap_err());
}

#[test]
fn a_connection_for_each_of_very_many_runtimes() {
    let server = Server::start();
    let backend = lazy(patient(&server.url()));
    let runtimes: Vec<Runtime> = (0..1024).map(|_| runtime()).collect();
    for runtime in &runtimes {
        // Begins to connect, and isn't driven any further.
        runtime.block_on(async { assert!(backend.get::<u8>("k").now_or_never().is_none()) });
    }
    let one_more = runtime();
    let error = one_more.block_on(backend.set("hiddenkey", "topsecret", None));
    row!(".. runtimes have connections already", Unavailable, NotSent).check(&error.unwrap_err());
    assert!(server.command("DBSIZE").starts_with(":0"));
    drop(runtimes);
    one_more
        .block_on(backend.set("hiddenkey", 1, None))
        .unwrap();
}

/// A runtime that has no sockets ends every attempt to connect.
#[test]
fn a_runtime_without_sockets() {
    let server = Server::on_tcp();
    let backend = lazy(patient(&server.url()));
    let runtime = Builder::new_current_thread().build().unwrap();
    let error = runtime.block_on(backend.set("hiddenkey", "topsecret", None));
    row!(
        "the runtime ended before there was a connection",
        Unavailable,
        NotSent
    )
    .check(&error.unwrap_err());
    assert!(server.command("DBSIZE").starts_with(":0"));
}
