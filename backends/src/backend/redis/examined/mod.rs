//! A Redis backend before a doctor: the facts of each primary, and its entries one by one.

mod rights;
mod walk;

use async_trait::async_trait;

use super::RedisBackend;
use super::client::{Access, Command, Info, NodeId, Reply};
use super::commands::Commands;
use super::read_from::ReadFrom;
use super::reply;
use crate::backend::examined::{Asked, Examined, Look, Pace, ServerReport, Visitor};
use crate::error::BackendResult;

#[async_trait]
impl Examined for RedisBackend {
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

    async fn walk(
        &self,
        most: u64,
        pace: &mut Pace,
        visitor: &mut dyn Visitor,
    ) -> BackendResult<bool> {
        self.commands.walk(most, pace, visitor).await
    }

    /// By commands that a user who may only read can be given, and none that loads a large value.
    async fn look(&self, key: &str, most: usize, pace: &mut Pace) -> BackendResult<Look> {
        let commands = &self.commands;
        let life = async |pace: &mut Pace| {
            pace.turn().await;
            let command = commands.command("PTTL", key)?;
            let millis = commands.ask(command, ReadFrom::Primary, reply::integer);
            Ok(reply::expiry(millis.await?))
        };
        let Some(expiry) = life(pace).await? else {
            return Ok(Look::Gone);
        };
        pace.turn().await;
        let command = commands.command("GETRANGE", key)?;
        // One byte more tells that there is more.
        let command = command.number(0).number(most);
        let stored = commands.ask(command, ReadFrom::Primary, reply::stored);
        let stored = stored.await?;
        Ok(match stored {
            Some(stored) if stored.as_bytes().len() > most => Look::TooLarge(expiry),
            Some(stored) if !stored.as_bytes().is_empty() => Look::Value(stored, expiry),
            // Nothing is the answer for a key that isn't there, too.
            nothing => match (nothing, life(pace).await?) {
                (Some(nothing), Some(expiry)) => Look::Value(nothing, expiry),
                _ => Look::Gone,
            },
        })
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
            // Valkey calls it `server_mode`.
            mode: info
                .field("redis_mode")
                .or_else(|| info.field("server_mode"))
                .map(str::to_string),
            key_count: match size {
                Reply::Integer(size) => u64::try_from(size).ok(),
                _ => None,
            },
            used_memory: number("used_memory"),
            maxmemory: number("maxmemory"),
            maxmemory_policy: info.field("maxmemory_policy").map(str::to_string),
            evicted_keys: number("evicted_keys"),
            rights,
        })
    }
}
