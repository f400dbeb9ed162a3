//! The pages of the inspector, asked as a browser asks, on memory, on Redis and on a cluster.

mod bounds;
mod changes;
mod hostile;
mod model;
mod pages;
mod reads;
mod safety;
mod secrecy;
mod site;
