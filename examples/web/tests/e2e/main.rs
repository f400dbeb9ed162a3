//! The service as its users see it: over real HTTP, from processes of its own, in memory and on
//! Redis.

mod browser;
mod chromium;
mod inspecting;
mod instances;
mod journey;
mod observed;
mod pages;
mod service;
mod visitor;
