//! A Redis backend before a doctor: the facts of each primary, and a walk over their keys.

mod rights;

use async_trait::async_trait;

use super::RedisBackend;
use super::client::{Access, Command, Info, NodeId, Reply};
use super::commands::{BATCH, Commands};
use super::read_from::ReadFrom;
use super::scan::ScanPosition;
use crate::backend::examined::{Asked, Examine, Pace, ServerReport, Visit, Walked};
use crate::error::BackendResult;

#[async_trait]
impl Examine for RedisBackend {
    async fn servers(
        &self,
        asked: &Asked<'_>,
        pace: &mut Pace,
    ) -> BackendResult<Vec<ServerReport>> {
        let mut reports = Vec::new();
        for node in self.commands.primaries().await? {
            reports.push(self.commands.server(node, asked, pace).await?);
        }
        Ok(reports)
    }

    /// Each primary is walked over for its share, in the order of its hash table.
    async fn walk(
        &self,
        most: u64,
        pace: &mut Pace,
        visit: &mut Visit<'_>,
    ) -> BackendResult<Walked> {
        let primaries = self.commands.primaries().await?;
        let share = most.div_ceil(primaries.len().max(1) as u64);
        let mut walked = Walked {
            keys: 0,
            is_whole: true,
        };
        for node in primaries {
            let one = self.commands.walk(node, share, pace, visit).await?;
            walked.keys += one.keys;
            walked.is_whole &= one.is_whole;
        }
        Ok(walked)
    }
}

impl Commands {
    /// Returns the nodes of a cluster that serve slots; elsewhere the server, which has no number.
    async fn primaries(&self) -> BackendResult<Vec<Option<NodeId>>> {
        let nodes = self.client.nodes(ReadFrom::Primary).await?;
        Ok(match nodes {
            Some(nodes) => nodes.into_iter().map(Some).collect(),
            None => vec![None],
        })
    }

    /// Asks one server. The reply may be an error of the server's.
    async fn ask_server(
        &self,
        node: Option<NodeId>,
        command: Command,
        pace: &mut Pace,
    ) -> BackendResult<Reply> {
        pace.turn().await;
        let traced = self.client.traced(node, command, Access::READ).await?;
        Ok(traced.reply)
    }

    /// A fact whose question is refused stays unknown.
    async fn server(
        &self,
        node: Option<NodeId>,
        asked: &Asked<'_>,
        pace: &mut Pace,
    ) -> BackendResult<ServerReport> {
        let reply = self.ask_server(node, Command::new("INFO"), pace).await?;
        let size = self.ask_server(node, Command::new("DBSIZE"), pace).await?;
        let rights = self.rights(node, asked, pace).await?;
        let info = Info::of(&reply);
        let number = |name| info.field(name).and_then(|field| field.parse().ok());
        let product = match info.field("valkey_version") {
            Some(_) => "valkey",
            None => "redis",
        };
        Ok(ServerReport {
            address: self.client.address(node),
            product: product.to_string(),
            version: info.version().map(str::to_string),
            mode: info.field("redis_mode").map(str::to_string),
            keys: match size {
                Reply::Integer(size) => u64::try_from(size).ok(),
                _ => None,
            },
            used_bytes: number("used_memory"),
            limit_bytes: number("maxmemory"),
            eviction: info.field("maxmemory_policy").map(str::to_string),
            evicted: number("evicted_keys"),
            rights,
        })
    }

    async fn walk(
        &self,
        node: Option<NodeId>,
        most: u64,
        pace: &mut Pace,
        visit: &mut Visit<'_>,
    ) -> BackendResult<Walked> {
        let pattern = self.pattern("");
        let mut place = ScanPosition::at(node);
        let mut keys = 0;
        while keys < most {
            pace.turn().await;
            let page = self.page(node, &pattern, place.cursor).await?;
            for key in &page.keys {
                let own = key.as_bytes().get(self.prefix.len()..);
                visit(own.and_then(|own| str::from_utf8(own).ok()));
            }
            keys += BATCH as u64;
            if place.pass(&page)? {
                return Ok(Walked {
                    keys,
                    is_whole: true,
                });
            }
        }
        Ok(Walked {
            keys,
            is_whole: false,
        })
    }
}
