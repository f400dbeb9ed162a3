//! Calls of a store as spans of OpenTelemetry, by the crate `tracing-opentelemetry`.
//!
//! `cargo run --bin traces` prints the spans of a login. A service has an exporter of the crate
//! `opentelemetry-otlp` in place of `opentelemetry_stdout`, with `with_batch_exporter`.

use std::error::Error;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use reinhardt_backends::layer::Observe;
use reinhardt_backends::{Backend, BackendResult, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

#[derive(Debug, Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session", ttl = "30m")]
struct Session {
    #[keyspace(key)]
    id: String,
    user: u64,
}

#[derive(Keyspace)]
#[keyspace(prefix = "login", limit = "1/1m")]
struct Login<'a> {
    name: &'a str,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let service = Resource::builder().with_service_name("traces").build();
    let provider = SdkTracerProvider::builder()
        .with_resource(service)
        .with_simple_exporter(opentelemetry_stdout::SpanExporter::default())
        .build();
    let spans = tracing_opentelemetry::layer().with_tracer(provider.tracer("traces"));
    // Calls are spans at `INFO`. At `DEBUG` there are events of the library, such as a refused
    // attempt, in the spans of this program.
    let levels = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("reinhardt_backends", Level::DEBUG);
    tracing_subscriber::registry()
        .with(spans)
        .with(levels)
        .init();

    let observe = Observe::new().with_tracing().with_system("memory");
    let backend = MemoryBackend::new().layer(observe);
    for id in ["first", "second"] {
        let is_in = log_in(&backend, id).await?;
        eprintln!("{id}: {}", if is_in { "logged in" } else { "refused" });
    }
    provider.shutdown()?;
    Ok(())
}

/// Logs ann in, unless she just was. The calls of the store are spans within this one.
#[tracing::instrument(name = "log in", skip_all)]
async fn log_in(backend: &dyn Backend, id: &str) -> BackendResult<bool> {
    if !(Login { name: "ann" }).check(backend).await?.allowed {
        return Ok(false);
    }
    let session = Session {
        id: id.to_string(),
        user: 7,
    };
    session.save(backend).await?;
    Ok(true)
}
