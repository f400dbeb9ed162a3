//! A page that takes long to compute. However many requests ask for it at once, in all instances
//! together, one of them computes it and all get it. A page that is older than a minute is still
//! served for ten minutes, while it is computed anew.
//!
//! The cached value is the part of the page that is the same for everybody. The name in the head of
//! the page is not in it. A browser gets that head at once, with a sign that the rest is being
//! computed.

use std::convert::Infallible;
use std::future::ready;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use maud::{Markup, PreEscaped, html};
use reinhardt_backends::keyspace::KeySegment;
use reinhardt_backends::{Backend, Keyspace};
use tokio::time::timeout;

use crate::app::{AppState, REQUEST_TIME};
use crate::error::AppError;
use crate::html::{Reader, page};
use crate::sessions::SignedIn;

/// The reports that there are. A key of free text would let anybody fill the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, KeySegment)]
pub(crate) enum Region {
    North,
    South,
}

#[derive(Keyspace)]
#[keyspace(
    prefix = "report",
    ttl = "1m",
    value = String,
    lease = "10s",
    stale = "10m",
    inspect
)]
struct Report {
    region: Region,
}

/// The number of times that the report of a region was computed, in all instances together.
#[derive(Keyspace)]
#[keyspace(prefix = "computed", ttl = never, counter, inspect)]
struct Computed {
    region: Region,
}

pub(crate) async fn list(signed_in: SignedIn) -> Markup {
    let content = html! {
        p { "A report takes a while to compute. It is computed once for everybody, and again after a minute." }
        ul {
            @for region in Region::ALL {
                li { a href={ "/reports/" (region.name()) } { (region.title()) } }
            }
        }
    };
    page("Reports", Reader::User(&signed_in), &content)
}

pub(crate) async fn show(
    State(state): State<AppState>,
    signed_in: SignedIn,
    Path(name): Path<String>,
) -> Result<Response, AppError> {
    let mut regions = Region::ALL.into_iter();
    let region = regions.find(|region| region.name() == name);
    let Some(region) = region else {
        return Err(AppError::NotFound(Some(signed_in)));
    };
    let (backend, time) = (state.backend.clone(), state.report_time);
    let report = async move {
        let own = backend.clone();
        let compute = move || async move { compute(&own, region, time).await };
        Report { region }.get_or_set_with(&backend, compute).await
    };
    let mut report = Box::pin(report);
    let reader = Reader::User(&signed_in);
    if let Ok(report) = timeout(AT_ONCE, report.as_mut()).await {
        return Ok(page(region.title(), reader, &PreEscaped(report?)).into_response());
    }
    // The head of the page is sent now, and the rest when it is there.
    let frame = page(region.title(), reader, &PreEscaped(WAITING.to_string())).into_string();
    let (_, foot) = frame.split_once(WAITING).expect("it is in the page");
    let head = frame[..frame.len() - foot.len()].to_string();
    let foot = foot.to_string();
    let rest = async move {
        let report = match timeout(REQUEST_TIME - AT_ONCE, report).await {
            Ok(Ok(report)) => report,
            failed => {
                tracing::error!(?failed, "a report failed after its page had begun");
                FAILED.to_string()
            }
        };
        report + &foot
    };
    let parts = stream::once(ready(head)).chain(stream::once(rest));
    let body = Body::from_stream(parts.map(Ok::<_, Infallible>));
    Ok((HTML, body).into_response())
}

/// A page that is ready within this time is sent as a whole.
const AT_ONCE: Duration = Duration::from_millis(400);
/// The sign of progress. The style hides it once something follows.
const WAITING: &str = "<p class=\"waiting\" role=\"status\">This report is being computed.</p>";
const FAILED: &str = "<p role=\"alert\">The report could not be computed. Please try again.</p>";
const HTML: [(HeaderName, &str); 1] = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];

/// Stands in for a query to a slow database.
async fn compute<B>(backend: &B, region: Region, time: Duration) -> Result<String, AppError>
where
    B: Backend + ?Sized,
{
    tokio::time::sleep(time).await;
    let number = Computed { region }.increment(backend).await?;
    let report = html! {
        table {
            caption { "Orders by quarter" }
            thead { tr { th scope="col" { "Quarter" } th scope="col" { "Orders" } } }
            tbody {
                @for (quarter, orders) in (1..).zip(region.orders()) {
                    tr { th scope="row" { "Q" (quarter) } td { (orders) } }
                }
            }
        }
        p { "Computation number " strong #computation { (number) } ". After a minute there will be another." }
    };
    Ok(report.into_string())
}

impl Region {
    const ALL: [Self; 2] = [Self::North, Self::South];

    fn name(self) -> &'static str {
        match self {
            Self::North => "north",
            Self::South => "south",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::North => "Report: north",
            Self::South => "Report: south",
        }
    }

    fn orders(self) -> [u32; 4] {
        match self {
            Self::North => [1204, 1318, 1277, 1490],
            Self::South => [986, 1042, 1103, 1188],
        }
    }
}
