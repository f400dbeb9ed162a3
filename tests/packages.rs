//! The packages are ready to be published, and their pages agree with them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const README: &str = include_str!("../README.md");
const CONTRACT: &str = include_str!("../backends/src/backend/contract.md");
const LIBRARY: &str = include_str!("../backends/src/lib.rs");

fn cargo(arguments: &[&str]) -> String {
    let output = cargo_in(Path::new(env!("CARGO_MANIFEST_DIR")), arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn cargo_in(folder: &Path, arguments: &[&str]) -> Output {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_string());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(folder);
    command.output().unwrap()
}

fn metadata() -> Value {
    let arguments = [
        "metadata",
        "--format-version",
        "1",
        "--locked",
        "--all-features",
    ];
    serde_json::from_str(&cargo(&arguments)).unwrap()
}

fn version(text: &str) -> Vec<u32> {
    let mut parts: Vec<u32> = text.split('.').map(|part| part.parse().unwrap()).collect();
    parts.resize(3, 0);
    parts
}

fn library(metadata: &Value) -> &Value {
    package(metadata, "reinhardt-backends")
}

fn package<'m>(metadata: &'m Value, name: &str) -> &'m Value {
    let mut packages = metadata["packages"].as_array().unwrap().iter();
    let package = packages.find(|package| package["name"] == name);
    package.unwrap()
}

/// Returns the ids of the packages of which a program is built that has all of the library's
/// features.
fn built_with_the_library(metadata: &Value) -> BTreeSet<&str> {
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let of: BTreeMap<&str, &Value> = nodes
        .iter()
        .map(|node| (node["id"].as_str().unwrap(), &node["deps"]))
        .collect();
    let library = of.keys().find(|id| id.contains("/backends#")).unwrap();
    let mut found = BTreeSet::from([*library]);
    let mut left = vec![*library];
    while let Some(id) = left.pop() {
        for dependency in of[id].as_array().unwrap() {
            let mut kinds = dependency["dep_kinds"].as_array().unwrap().iter();
            let id = dependency["pkg"].as_str().unwrap();
            if kinds.any(|kind| kind["kind"] != "dev") && found.insert(id) {
                left.push(id);
            }
        }
    }
    found
}

#[test]
fn no_dependency_asks_for_a_newer_rust() {
    let metadata = metadata();
    let found = built_with_the_library(&metadata);
    assert!(found.len() > 60, "{}", found.len());
    let packages = metadata["packages"].as_array().unwrap();
    let lowest = |package: &Value| package["rust_version"].as_str().map(version);
    let ours = lowest(library(&metadata)).unwrap();
    for package in packages {
        if found.contains(package["id"].as_str().unwrap()) {
            let asked = lowest(package);
            let name = &package["name"];
            assert!(
                asked <= Some(ours.clone()),
                "{name}: {asked:?} over {ours:?}"
            );
        }
    }
}

#[test]
fn both_packages_have_their_licences_changelog_and_readme() {
    for package in ["reinhardt-backends", "reinhardt-backends-derive"] {
        let files = cargo(&["package", "--list", "--allow-dirty", "--package", package]);
        let files: Vec<&str> = files.lines().collect();
        for file in ["LICENSE-MIT", "LICENSE-APACHE", "CHANGELOG.md", "README.md"] {
            assert!(files.contains(&file), "{package} without {file}: {files:?}");
        }
    }
    for package in metadata()["packages"].as_array().unwrap() {
        if package["publish"].is_null() && package["source"].is_null() {
            for word in [
                "description",
                "documentation",
                "homepage",
                "repository",
                "license",
            ] {
                assert!(package[word].is_string(), "{}: no {word}", package["name"]);
            }
        }
    }
}

/// The page of a registry has no files beside it.
#[test]
fn the_readme_stands_by_itself_and_is_short() {
    assert!(README.lines().count() <= 220);
    let (mut is_code, mut blocks) = (false, 0);
    for line in README.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
            blocks += 1;
        }
        assert!(
            !is_code || !line.starts_with("# "),
            "not hidden there: {line}"
        );
    }
    assert!(blocks > 8 && !is_code);
    let mut lines = README.lines();
    assert!(
        !lines.any(|line| line.trim_start().starts_with("![")),
        "a picture"
    );
    let links = README.split("](").skip(1);
    for link in links.map(|rest| rest.split(')').next().unwrap()) {
        assert!(link.starts_with("https://docs.rs/"), "{link}");
    }
}

#[test]
fn the_readme_and_the_front_page_have_every_feature() {
    let metadata = metadata();
    let ours = library(&metadata);
    let (_, table) = README.split_once("## Features").unwrap();
    for feature in ours["features"].as_object().unwrap().keys() {
        let is_shown = feature == "default" || table.contains(&format!("`{feature}`"));
        assert!(is_shown, "the README has no {feature}");
        let row = format!("//! | `{feature}` |");
        assert!(feature == "default" || LIBRARY.contains(&row), "{row}");
    }
    let rust = format!("Rust {} or newer", ours["rust_version"].as_str().unwrap());
    assert!(README.contains(&rust), "{rust}");
}

#[test]
fn the_readme_knows_how_many_clauses_there_are() {
    let numbers = CONTRACT.lines().filter_map(|line| {
        let (number, _) = line.trim_start().split_once(". ")?;
        number.parse::<u32>().ok()
    });
    let clauses = numbers.max().unwrap();
    assert!(
        README.contains(&format!("has {clauses} clauses")),
        "{clauses}"
    );
}

/// Its manifest says once more what the library depends on, so that doubles can take the place of
/// some of it.
#[test]
fn the_library_over_doubles_depends_on_what_the_library_does() {
    let metadata = metadata();
    let versions = |name| -> BTreeMap<&str, (&Value, &Value)> {
        let dependencies = package(&metadata, name)["dependencies"].as_array().unwrap();
        let built = dependencies.iter().filter(|it| it["kind"].is_null());
        built
            .map(|it| {
                let version = (&it["req"], &it["uses_default_features"]);
                (it["name"].as_str().unwrap(), version)
            })
            .collect()
    };
    let (ours, of_doubles) = (
        versions("reinhardt-backends"),
        versions("reinhardt-backends-over-doubles"),
    );
    let shared = of_doubles
        .iter()
        .filter(|(name, _)| !name.starts_with("shuttle"));
    assert!(shared.clone().count() > 15, "{of_doubles:?}");
    for (name, version) in shared {
        assert_eq!(ours.get(name), Some(version), "{name}");
    }
}

/// The lowest version that each requirement of the manifests allows, unless another dependency asks
/// for a newer one.
#[test]
fn the_library_compiles_with_the_lowest_versions_that_it_asks_for() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lowest_versions");
    for package in ["backends", "backends-derive"] {
        let _ = fs::remove_dir_all(folder.join(package));
    }
    for package in ["backends", "backends-derive"] {
        copy(&root.join(package), &folder.join(package));
    }
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let members = |line: &str| match line.starts_with("members = ") {
        true => r#"members = ["backends", "backends-derive"]"#.to_string(),
        false => line.to_string(),
    };
    let manifest: Vec<String> = manifest.lines().map(members).collect();
    fs::write(folder.join("Cargo.toml"), manifest.join("\n")).unwrap();
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();

    let all = lowest_versions(&metadata());
    let mut kept = Vec::new();
    for (name, version) in &all {
        let update = ["update", "--package", name, "--precise", version];
        let updated = cargo_in(&folder, &update);
        if !updated.status.success() {
            kept.push(String::from_utf8(updated.stderr).unwrap());
        }
    }
    assert!(all.len() - kept.len() > 10, "{}", kept.join("\n"));
    let check = ["check", "--package", "reinhardt-backends", "--all-features"];
    let checked = cargo_in(&folder, &check);
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}");
}

/// Returns the dependencies of both packages, with the lowest versions that they allow.
fn lowest_versions(metadata: &Value) -> BTreeSet<(String, String)> {
    let packages = metadata["packages"].as_array().unwrap().iter();
    let ours = packages.filter(|package| {
        let name = &package["name"];
        name == "reinhardt-backends" || name == "reinhardt-backends-derive"
    });
    let dependencies = ours.flat_map(|package| package["dependencies"].as_array().unwrap());
    let published = dependencies
        .filter(|dependency| dependency["kind"] != "dev" && dependency["path"].is_null());
    published
        .map(|dependency| {
            let required = dependency["req"].as_str().unwrap();
            let lowest = version(required.trim_start_matches(['^', '=', '~']));
            let lowest: Vec<String> = lowest.iter().map(u32::to_string).collect();
            (
                dependency["name"].as_str().unwrap().to_string(),
                lowest.join("."),
            )
        })
        .collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let to = to.join(from.file_name().unwrap());
        match from.is_dir() {
            true => copy(&from, &to),
            false => drop(fs::copy(&from, &to).unwrap()),
        }
    }
}
