//! Programs that lack a feature: the message, and that its advice helps.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

#[test]
fn the_schema_lock_says_how_to_have_it() {
    let program = Program::generate("schema_lock", SCHEMA_LOCK);
    let failed = program.cargo("check --tests");
    assert!(!failed.status.success());
    let said = String::from_utf8_lossy(&failed.stderr);
    let message = "error: the schema lock is behind a feature, for tests alone: run `cargo ";
    let (_, rest) = said.split_once(message).unwrap_or_else(|| panic!("{said}"));
    let (advice, rest) = rest.split_once('`').unwrap();
    assert!(
        rest.contains(r#"features = ["schema-lock"] }` to [dev-dependencies]"#),
        "{rest}"
    );

    for arguments in [advice, "check --tests"] {
        let output = program.cargo(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments}: {said}");
    }
    let manifest = fs::read_to_string(program.folder.join("Cargo.toml")).unwrap();
    let (_, for_tests) = manifest.split_once("[dev-dependencies]").unwrap();
    assert!(for_tests.contains("schema-lock"), "{manifest}");
}

/// A package that depends on the library with its default features.
struct Program {
    folder: PathBuf,
}

impl Program {
    fn generate(name: &str, test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let library = workspace.join("backends").display().to_string();
        for (file, text) in [
            ("Cargo.toml", MANIFEST.replace("LIBRARY", &library)),
            ("src/lib.rs", String::new()),
            ("tests/test.rs", test.to_string()),
        ] {
            let file = folder.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        // The versions of the workspace, which are there.
        fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
        Self { folder }
    }

    fn cargo(&self, arguments: &str) -> Output {
        let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
        Command::new(cargo)
            .args(arguments.split(' '))
            .arg("--offline")
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", TARGET)
            .output()
            .unwrap()
    }
}

/// The workspace's own, with its profile: what the library depends on has been checked there
/// before.
const TARGET: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/..");

const SCHEMA_LOCK: &str = r#"
#[test]
fn what_is_stored_has_not_changed() {
    reinhardt_backends::assert_schema_lock!("keyspaces.lock");
}
"#;

const MANIFEST: &str = r#"[package]
name = "lacks-a-feature"
version = "0.0.0"
edition = "2024"
publish = false

[workspace]

[dependencies]
reinhardt-backends = { path = "LIBRARY" }

[profile.dev]
debug = "line-tables-only"
"#;
