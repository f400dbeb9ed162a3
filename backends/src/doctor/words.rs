//! The report of a doctor, as text.

use std::fmt;
use std::time::Duration;

use super::report::{KeyspaceReport, Lives, Report};
use crate::backend::examined::{Rights, ServerReport};
use crate::table::table;

/// Three parts: servers, keyspaces, findings.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extent = match self.keys.is_whole {
            true => "all keys",
            false => "a part of the keys",
        };
        writeln!(f, "servers\n{}\n", indented(&servers(&self.servers)))?;
        writeln!(
            f,
            "keyspaces, by {extent}; besides, {} that nobody declares and {} of leases\n{}\n",
            counted(self.keys.undeclared, "key", "keys"),
            count(self.keys.leases),
            indented(&keyspaces(&self.keyspaces))
        )?;
        write!(f, "findings")?;
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
        let used = server.used_bytes.map_or_else(unknown, bytes);
        let memory = match server.limit_bytes {
            None | Some(0) => used,
            Some(limit) => format!("{used} of {}", bytes(limit)),
        };
        let rights = match &server.rights {
            Rights::All => "all",
            Rights::Missing { .. } => "some are missing",
            Rights::Unchecked(_) => "unchecked",
        };
        [
            server.address.clone(),
            version,
            server.mode.clone().unwrap_or_default(),
            server.keys.map_or_else(unknown, count),
            memory,
            server.eviction.clone().unwrap_or_default(),
            server.evicted.map_or_else(unknown, count),
            rights.to_string(),
        ]
    });
    table(heads, rows)
}

fn keyspaces(keyspaces: &[KeyspaceReport]) -> String {
    let heads = [
        "keys",
        "kind",
        "name",
        "entries",
        "read",
        "mean size",
        "largest",
        "life left",
        "no end",
    ];
    let rows = keyspaces.iter().map(|keyspace| {
        let size = |size| match keyspace.read {
            0 => String::new(),
            _ => bytes(size),
        };
        [
            keyspace.keys.clone(),
            keyspace.kind.clone(),
            keyspace.name.clone(),
            count(keyspace.entries),
            count(keyspace.read),
            size(keyspace.mean_bytes),
            size(keyspace.largest_bytes),
            keyspace.lives.map(lives).unwrap_or_default(),
            match keyspace.endless {
                0 => String::new(),
                endless => count(endless),
            },
        ]
    });
    table(heads, rows)
}

/// `12s to 29m, median 15m`
fn lives(lives: Lives) -> String {
    let Lives {
        shortest,
        median,
        longest,
    } = lives;
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

/// `12 of 200 entries read (6 %, give or take 7, of 5,000)`; with no margin where all were read.
pub(super) fn share(part: u64, read: u64, all: u64) -> String {
    let percent = 100.0 * part as f64 / read.max(1) as f64;
    let of = format!("{} of {} entries read", count(part), count(read));
    match read >= all {
        true => of,
        false => format!(
            "{of} ({percent:.0} %, give or take {:.0}, of {})",
            98.0 / (read.max(1) as f64).sqrt(),
            count(all)
        ),
    }
}

/// `1,234,567`
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 key`, `1,234 keys`
pub(super) fn counted(number: u64, one: &str, several: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        number => format!("{} {several}", count(number)),
    }
}

/// `3.1 MiB`
pub(super) fn bytes(bytes: u64) -> String {
    let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units.iter().find(|(unit, _)| bytes >= *unit);
    match unit {
        Some((unit, name)) => format!("{:.1} {name}", bytes as f64 / *unit as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_sizes_have_units() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes(u64::MAX), "17179869184.0 GiB");
    }

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
    fn a_share_of_a_sample_has_a_margin() {
        assert_eq!(share(2, 3, 3), "2 of 3 entries read");
        assert_eq!(
            share(50, 100, 5_000),
            "50 of 100 entries read (50 %, give or take 10, of 5,000)"
        );
    }
}
