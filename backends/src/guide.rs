//! Coming from other libraries, building, testing, starting, watching, looking into and ending a
//! service, running it on Redis, every error that it can meet, how fast it is, where its edges are,
//! and the map of its source.
//! The pages have no items.

/// Makes a page that links to a picture beside it. The first definition of a link counts: here the
/// picture is a part of the page.
macro_rules! page_with_picture {
    (pub mod $name:ident: $page:literal, $picture:literal) => {
        #[doc = "[picture]: #a-picture"]
        #[doc = ""]
        #[doc = include_str!(concat!("../docs/", $page))]
        #[doc = ""]
        #[doc = "# A picture"]
        #[doc = ""]
        #[doc = "<div>"]
        #[doc = include_str!(concat!("../docs/", $picture))]
        #[doc = "</div>"]
        pub mod $name {}
    };
}

#[doc = include_str!("../docs/testing.md")]
pub mod testing {}

#[doc = include_str!("../docs/starting.md")]
pub mod starting {}

#[doc = include_str!("../docs/health.md")]
pub mod health {}

page_with_picture!(pub mod observing: "observing.md", "observing-incident.svg");

#[doc = include_str!("../docs/redis.md")]
pub mod redis {}

#[doc = include_str!("../docs/failures.md")]
pub mod failures {}

// The first definition of a link counts: here the pictures are a part of the page.
#[doc = "[server]: #pictures"]
#[doc = "[managed]: #pictures"]
#[doc = "[sentinel]: #pictures"]
#[doc = "[cluster]: #pictures"]
#[doc = ""]
#[doc = include_str!("../docs/production.md")]
#[doc = ""]
#[doc = "# Pictures"]
#[doc = ""]
#[doc = "<div>"]
#[doc = include_str!("../docs/deployment-server.svg")]
#[doc = "</div><div>"]
#[doc = include_str!("../docs/deployment-managed.svg")]
#[doc = "</div><div>"]
#[doc = include_str!("../docs/deployment-sentinel.svg")]
#[doc = "</div><div>"]
#[doc = include_str!("../docs/deployment-cluster.svg")]
#[doc = "</div>"]
pub mod production {}

#[doc = include_str!("../docs/inspecting.md")]
pub mod inspecting {}

#[doc = include_str!("../docs/evidence.md")]
pub mod evidence {}

#[doc = include_str!("../docs/versions.md")]
pub mod versions {}

#[doc = include_str!("../docs/architecture.md")]
pub mod architecture {}

#[doc = include_str!("../docs/scope.md")]
pub mod scope {}

#[doc = include_str!("../docs/coming-from.md")]
pub mod coming_from {}

page_with_picture!(pub mod service: "service.md", "service-latency.svg");

page_with_picture!(pub mod speed: "speed.md", "redis-get-one-worker-thread.svg");
