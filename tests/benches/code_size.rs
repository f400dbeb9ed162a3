//! The code that a keyspace adds to a release program: row C2 of the goals.
//!
//! `cargo bench -p reinhardt-backends-tests --bench code_size`
//!
//! The programs are generated under the target directory and built by cargo. Their sizes don't
//! vary, so there are no rounds.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use reinhardt_backends_tests::measure::Bound::AtMost;
use reinhardt_backends_tests::measure::{Measured, Program, Report, Run, Table, Unit};

fn main() {
    if Run::from_arguments(1).is_none() {
        return;
    }
    let mut report = Report::new("code_size");
    let package = Package::generate();
    let mut keyspaces = Measured::default();
    let mut programs = Measured::default();
    for (profile, settings) in PROFILES {
        for (feature, with) in FEATURES {
            let built = package.build(profile, feature);
            for program in &built {
                let traces = program.has_symbol_with(TRACER);
                assert_eq!(traces, !feature.is_empty(), "the tracer{with}");
            }
            let [one, many] = built.map(|program| program.section(".text").len() as f64);
            let case = format!("{settings}{with}");
            keyspaces.add(&case, vec![(many - one) / (MANY - 1) as f64]);
            programs.add(&format!("1, {case}"), vec![one]);
            programs.add(&format!("{MANY}, {case}"), vec![many]);
        }
    }
    let title = "C2: code of a keyspace of seven fields and an enum, `get` and `save` called";
    let mut table = Table::new(title, Unit::Bytes, keyspaces);
    for (_, settings) in PROFILES {
        table = table.limit(settings, AtMost(GOAL));
    }
    report.table(&table);
    let title = "code of a program with so many keyspaces";
    report.table(&Table::new(title, Unit::Bytes, programs));
    report.finish();
}

/// A package of two programs: with one keyspace and with many.
struct Package {
    folder: PathBuf,
}

impl Package {
    fn generate() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("code_size");
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let programs = folder.join("src/bin");
        fs::create_dir_all(&programs).expect("the folder can be made");
        let write = |path: PathBuf, text: &str| fs::write(path, text).expect("it can be written");
        let library = workspace.join("backends").display().to_string();
        let manifest = MANIFEST.replace("LIBRARY", &library);
        write(folder.join("Cargo.toml"), &manifest);
        for (name, keyspaces) in PROGRAMS {
            write(programs.join(format!("{name}.rs")), &program(keyspaces));
        }
        // The versions of the workspace, and no look at the registry.
        let lock = fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock"));
        lock.expect("the lock file can be copied");
        Self { folder }
    }

    /// Builds both programs by the settings of a profile, with a feature or with none.
    fn build(&self, profile: &str, feature: &str) -> [Program; 2] {
        let target = self.folder.join("target");
        let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
        let status = Command::new(cargo)
            .args([
                "build",
                "--quiet",
                "--profile",
                profile,
                "--features",
                feature,
            ])
            .arg("--manifest-path")
            .arg(self.folder.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&target)
            .status();
        assert!(status.expect("cargo can be started").success());
        PROGRAMS.map(|(name, _)| Program::read(&target.join(profile).join(name)))
    }
}

fn program(keyspaces: usize) -> String {
    let mut text = HEAD.to_string();
    let mut calls = String::new();
    for index in 1..=keyspaces {
        let index = index.to_string();
        text.push_str(&KEYSPACE.replace("INDEX", &index));
        writeln!(calls, "    use_{index}(&backend, &id).await?;").expect("text can be written");
    }
    text.push_str(&MAIN.replace("CALLS", &calls));
    text
}

const MANY: usize = 21;
const GOAL: f64 = 25.0 * 1024.0;
const PROGRAMS: [(&str, usize); 2] = [("one", 1), ("many", MANY)];
const PROFILES: [(&str, &str); 2] = [
    ("release", "cargo's release profile"),
    ("thin", "thin LTO, one codegen unit"),
];
/// A feature and the end of the name of a case that has it.
const FEATURES: [(&str, &str); 2] = [("", ""), ("schema-lock", ", with `schema-lock`")];
/// The module of the tracer, as it stands in the names of the tracer's functions.
const TRACER: &str = "6schema6tracer";

const MANIFEST: &str = r#"[package]
name = "code-size"
version = "0.0.0"
edition = "2024"
publish = false

[workspace]

[features]
schema-lock = ["reinhardt-backends/schema-lock"]

[dependencies]
reinhardt-backends = { path = "LIBRARY" }
serde = { version = "1", features = ["derive"] }
tokio = { version = "1", features = ["rt"] }

[profile.thin]
inherits = "release"
lto = "thin"
codegen-units = 1
"#;

const HEAD: &str = "\
#![allow(dead_code)]

use std::hint::black_box;

use reinhardt_backends::{BackendResult, Keyspace, MemoryBackend};
use serde::{Deserialize, Serialize};
";

const KEYSPACE: &str = r#"
#[derive(Serialize, Deserialize)]
enum RoleINDEX {
    Guest,
    Member { since: u64 },
    Staff(String),
}

#[derive(Serialize, Deserialize, Keyspace)]
#[keyspace(prefix = "session.INDEX", ttl = "30m")]
struct SessionINDEX {
    #[keyspace(key)]
    id: String,
    user: u64,
    name: String,
    mail: Option<String>,
    role: RoleINDEX,
    tags: Vec<String>,
    score: f64,
}

async fn use_INDEX(backend: &MemoryBackend, id: &str) -> BackendResult<()> {
    let session = SessionINDEX {
        id: id.to_string(),
        user: id.len() as u64,
        name: id.repeat(2),
        mail: id.get(1..).map(str::to_string),
        role: match id.len() {
            0 => RoleINDEX::Guest,
            1 => RoleINDEX::Member { since: INDEX },
            _ => RoleINDEX::Staff(id.to_string()),
        },
        tags: vec![id.to_string(); 2],
        score: id.len() as f64,
    };
    session.save(backend).await?;
    black_box(SessionINDEX::get(backend, id).await?);
    Ok(())
}
"#;

const MAIN: &str = r#"
async fn run(id: String) -> BackendResult<()> {
    let backend = MemoryBackend::new();
CALLS    Ok(())
}

fn main() {
    let id = std::env::args().nth(1).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(run(id)).expect("room for all");
}
"#;
