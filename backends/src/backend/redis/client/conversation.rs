//! Commands and their replies, one batch after the other, on a socket without a driver.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use tokio::io::ReadBuf;

use super::connection_end::ConnectionEnd;
use super::read_buffer::ReadBuffer;
use super::resp::{Command, Reply};
use super::socket::Socket;

/// Commands and their replies, one batch after the other.
pub(super) struct Conversation<S = Box<dyn Socket>> {
    pub(super) socket: S,
    pub(super) input: ReadBuffer,
    pub(super) end: Option<ConnectionEnd>,
    /// The failure of the last read. By TLS it is where a server says why it ends the connection.
    pub(super) failure: Option<io::Error>,
    /// The longest time that answers took.
    pub(super) round_trip: Duration,
}

impl<S: Socket> Conversation<S> {
    /// Begins a conversation on a socket, whose first bytes may have been read already.
    pub(super) fn over(socket: S, input: ReadBuffer) -> Self {
        Self {
            socket,
            input,
            end: None,
            failure: None,
            round_trip: Duration::ZERO,
        }
    }

    /// Sends the commands and returns their replies: fewer if the conversation ended.
    pub(super) async fn ask(&mut self, commands: &[Command]) -> Vec<Reply> {
        let begun = Instant::now();
        let mut output = Vec::new();
        commands
            .iter()
            .for_each(|command| command.write_to(&mut output));
        // A server that has refused the connection may not take it. What it said is read.
        let written = self.write(&output).await;
        let mut replies = Vec::with_capacity(commands.len());
        while replies.len() < commands.len() {
            match self.reply().await {
                Ok(reply) => replies.push(reply),
                Err(end) => {
                    self.end = Some(match end {
                        ConnectionEnd::Failed(_) => written.err().unwrap_or(end),
                        end => end,
                    });
                    break;
                }
            }
        }
        self.round_trip = self.round_trip.max(begun.elapsed());
        replies
    }

    async fn write(&mut self, mut output: &[u8]) -> Result<(), ConnectionEnd> {
        while !output.is_empty() {
            let written = poll_fn(|context| Pin::new(&mut self.socket).poll_write(context, output));
            match written.await {
                Ok(0) => return Err(ConnectionEnd::Failed(io::ErrorKind::WriteZero)),
                Ok(count) => output = &output[count..],
                Err(error) => return Err(ConnectionEnd::Failed(error.kind())),
            }
        }
        let flushed = poll_fn(|context| Pin::new(&mut self.socket).poll_flush(context));
        let flushed = flushed.await;
        flushed.map_err(|error| ConnectionEnd::Failed(error.kind()))
    }

    /// Waits for the next reply.
    pub(super) async fn reply(&mut self) -> Result<Reply, ConnectionEnd> {
        loop {
            while let Some(reply) = self.input.next()? {
                if reply != Reply::Push {
                    return Ok(reply);
                }
            }
            let count = poll_fn(|context| {
                let mut buffer = ReadBuf::new(self.input.room());
                let read = Pin::new(&mut self.socket).poll_read(context, &mut buffer);
                read.map_ok(|()| buffer.filled().len())
            });
            match count.await {
                Ok(0) => return Err(ConnectionEnd::Failed(io::ErrorKind::UnexpectedEof)),
                Ok(count) => self.input.add(count),
                Err(error) => {
                    let end = ConnectionEnd::Failed(error.kind());
                    self.failure = Some(error);
                    return Err(end);
                }
            }
        }
    }
}
