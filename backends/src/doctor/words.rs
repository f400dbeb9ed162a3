//! The report of a doctor, as text.

use std::fmt;
use std::time::Duration;

use super::report::{KeyspaceReport, Report, TtlReport};
use super::share::Share;
use crate::backend::examined::{Rights, ServerReport};
use crate::numbers::{counted, number, size};
use crate::table::table;

/// Three parts: servers, keyspaces, findings.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extent = match self.is_whole {
            true => "all keys walked over",
            false => "some keys walked over",
        };
        let undeclared = counted(self.undeclared_keys, "undeclared key", "undeclared keys");
        let leases = counted(self.leases, "lease", "leases");
        writeln!(f, "servers\n{}\n", indented(&servers(&self.servers)))?;
        writeln!(f, "keyspaces ({extent}; {undeclared}, {leases})")?;
        writeln!(f, "{}", indented(&keyspaces(&self.keyspaces)))?;
        if let Some(unseen) = self.unseen() {
            let percent = 100.0 * unseen;
            writeln!(
                f,
                "  what up to {percent:.1} % of the entries have may be in no sample (95 %)"
            )?;
        }
        write!(f, "\nfindings")?;
        if self.findings.is_empty() {
            write!(f, "\n  none")?;
        }
        for finding in &self.findings {
            let (severity, subject) = (finding.severity, &finding.subject);
            write!(f, "\n  {severity:8} {subject}: {}", finding.message)?;
        }
        Ok(())
    }
}

impl Report {
    /// Returns the largest share of a keyspace that no sample may have shown, if a keyspace was
    /// read in part.
    fn unseen(&self) -> Option<f64> {
        let in_part = self
            .keyspaces
            .iter()
            .filter(|row| !row.is_read_whole && row.sampled > 0);
        let unseen = in_part.map(|row| row.share(0).high);
        unseen.reduce(f64::max)
    }
}

fn indented(text: &str) -> String {
    let lines = text.lines().map(|line| format!("  {line}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn servers(servers: &[ServerReport]) -> String {
    let heads = [
        "address", "version", "mode", "keys", "memory", "eviction", "evicted", "rights",
    ];
    let rows = servers.iter().map(|server| {
        let unknown = || "?".to_string();
        let product = &server.product;
        let version = match &server.version {
            Some(version) => format!("{product} {version}"),
            None => product.clone(),
        };
        let used = server.used_memory.map_or_else(unknown, size);
        let memory = match server.maxmemory {
            None | Some(0) => used,
            Some(limit) => format!("{used} of {}", size(limit)),
        };
        let rights = match &server.rights {
            Rights::All => "all",
            Rights::Missing { .. } => "some are missing",
            Rights::Unchecked { .. } => "unchecked",
        };
        [
            server.address.clone(),
            version,
            server.mode.clone().unwrap_or_default(),
            server.key_count.map_or_else(unknown, number),
            memory,
            server.maxmemory_policy.clone().unwrap_or_default(),
            server.evicted_keys.map_or_else(unknown, number),
            rights.to_string(),
        ]
    });
    table(&heads, rows)
}

fn keyspaces(keyspaces: &[KeyspaceReport]) -> String {
    let heads = [
        "keyspace",
        "kind",
        "name",
        "entries",
        "sampled",
        "mean size",
        "largest",
        "TTL",
        "without TTL",
    ];
    let rows = keyspaces.iter().map(|keyspace| {
        let bytes = |bytes| match keyspace.sampled {
            0 => String::new(),
            _ => size(bytes),
        };
        [
            keyspace.keyspace.clone(),
            keyspace.kind.clone(),
            keyspace.name.clone(),
            number(keyspace.entries),
            number(keyspace.sampled),
            bytes(keyspace.mean_bytes),
            bytes(keyspace.largest_bytes),
            keyspace.ttl.map(ttl).unwrap_or_default(),
            match keyspace.without_ttl {
                0 => String::new(),
                some => number(some),
            },
        ]
    });
    table(&heads, rows)
}

/// `12s to 29m, median 15m`
fn ttl(ttl: TtlReport) -> String {
    let TtlReport {
        shortest,
        median,
        longest,
    } = ttl;
    let [shortest, median, longest] = [shortest, median, longest].map(time);
    match shortest == longest {
        true => shortest,
        false => format!("{shortest} to {longest}, median {median}"),
    }
}

/// `29m`: in the largest unit of which there are two, so that three digits tell enough.
fn time(time: Duration) -> String {
    let millis = time.as_millis();
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
    ];
    let unit = units.iter().find(|(unit, _)| millis >= 2 * unit);
    match unit {
        Some((unit, name)) => format!("{}{name}", millis / unit),
        None => format!("{millis}ms"),
    }
}

/// `12 of 200 sampled entries (3.5 to 10.2 %)`; without the share where all entries were read.
pub(super) fn share(part: u64, read: u64, is_read_whole: bool) -> String {
    let of = format!("{} of {} sampled entries", number(part), number(read));
    if is_read_whole {
        return of;
    }
    let Share { low, high } = Share::of(part, read);
    format!("{of} ({:.1} to {:.1} %)", 100.0 * low, 100.0 * high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_the_largest_unit_of_which_there_are_two() {
        for (millis, text) in [
            (0, "0ms"),
            (1_999, "1999ms"),
            (2_000, "2s"),
            (7_199_999, "119m"),
        ] {
            assert_eq!(time(Duration::from_millis(millis)), text);
        }
        assert_eq!(time(Duration::from_secs(172_800)), "2d");
    }

    #[test]
    fn a_share_of_a_sample_has_bounds() {
        assert_eq!(share(2, 3, true), "2 of 3 sampled entries");
        assert_eq!(
            share(1, 500, false),
            "1 of 500 sampled entries (0.0 to 1.1 %)"
        );
    }
}
