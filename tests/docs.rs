//! The tables of the documentation agree with the files that they speak of.

use std::fs;
use std::path::Path;

const PAGE: &str = include_str!("../backends/docs/versions.md");
/// The manifests in which a requirement of each crate stands: of the library, or of the tests that
/// use the crate as its users do.
const MANIFESTS: [&str; 3] = [
    include_str!("../backends/Cargo.toml"),
    include_str!("../Cargo.toml"),
    include_str!("Cargo.toml"),
];

#[test]
fn the_versions_are_those_of_the_manifests() {
    let named = crates();
    for name in [
        "axum",
        "redis",
        "tokio",
        "tower",
        "tower-sessions",
        "tower-sessions-core",
    ] {
        assert!(named.iter().any(|(named, _)| *named == name), "no {name}");
    }
    for (name, version) in named {
        let required: Vec<_> = (MANIFESTS.iter())
            .filter_map(|manifest| requirement(manifest, name))
            .collect();
        let goes_with = |required: &&str| {
            let rest = required.strip_prefix(version);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        assert!(
            required.first().is_some_and(goes_with),
            "the page has {name} {version}, the manifests {required:?}"
        );
    }
}

#[test]
fn the_version_of_rust_is_that_of_the_manifest() {
    let rust = requirement(MANIFESTS[1], "rust-version").unwrap();
    assert!(PAGE.contains(&format!("Rust {rust} or newer.")), "{rust}");
}

/// Returns the crates of the table with their versions: the crates in the first column, and those
/// in brackets behind a version.
fn crates() -> Vec<(&'static str, &'static str)> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    let mut crates = Vec::new();
    for cells in cells {
        let mut name = None;
        for word in cells[1].split(' ').chain(cells[2].split(' ')) {
            let word = word.trim_matches(['(', ')', ',']);
            match (word.strip_prefix('`'), name) {
                (Some(quoted), _) => name = quoted.strip_suffix('`'),
                (None, Some(named)) => {
                    crates.push((named, word));
                    name = None;
                }
                (None, None) => {}
            }
        }
    }
    crates
}

/// Returns the version in a line `name = "1"` or `name = { version = "1", .. }`.
fn requirement<'m>(manifest: &'m str, name: &str) -> Option<&'m str> {
    manifest.lines().find_map(|line| {
        let value = line.strip_prefix(name)?.trim_start().strip_prefix('=')?;
        let value = value.trim_start().trim_start_matches("{ version = ");
        value.strip_prefix('"')?.split('"').next()
    })
}

const ARCHITECTURE: &str = include_str!("../backends/docs/architecture.md");

/// Returns the rows of the table of folders: the folder or file, and its paragraph.
fn folders() -> impl Iterator<Item = (&'static str, &'static str)> {
    let rows = ARCHITECTURE.lines().filter(|line| line.starts_with("| `"));
    rows.filter_map(|row| {
        let (folder, paragraph) = row.strip_prefix("| `")?.split_once("` | ")?;
        Some((folder, paragraph))
    })
}

#[test]
fn the_architecture_page_names_folders_and_files_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut named = 0;
    for (folder, paragraph) in folders() {
        let at = match folder.starts_with("backends-derive") {
            true => root.join(folder).join("src"),
            false => root.join("backends/src").join(folder),
        };
        assert!(at.exists(), "no {}", at.display());
        let words = paragraph.split('`').skip(1).step_by(2);
        let is_path = |word: &&str| [".rs", ".md", "/"].iter().any(|end| word.ends_with(end));
        for path in words.filter(is_path) {
            assert!(at.join(path).exists(), "no {path} in {folder}");
            named += 1;
        }
    }
    assert!(named > 20, "{named} files");
}

#[test]
fn every_folder_of_the_library_has_its_paragraph() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backends/src");
    let all: Vec<&str> = folders().map(|(folder, _)| folder).collect();
    for entry in fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            assert!(all.contains(&format!("{name}/").as_str()), "{name}");
        }
    }
}

#[test]
fn the_words_of_the_architecture_page_stand_once_and_in_order() {
    let (_, words) = ARCHITECTURE.split_once("# Words").unwrap();
    let rows = words.lines().filter_map(|line| line.strip_prefix("| "));
    let words: Vec<&str> = rows
        .filter_map(|row| row.split(" | ").next())
        .skip(1)
        .collect();
    assert!(words.len() >= 25, "{}", words.len());
    assert!(words.is_sorted_by(|one, next| one < next), "{words:?}");
}

const EVIDENCE: &str = include_str!("../backends/docs/evidence.md");

#[test]
fn the_tests_that_the_page_of_evidence_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let words = EVIDENCE.split('`').skip(1).step_by(2);
    let tests: Vec<_> = words.filter_map(|word| word.split_once("::")).collect();
    assert!(tests.len() > 20, "{}", tests.len());
    for (target, test) in tests {
        let function = format!("fn {test}(");
        assert!(
            has_text(&root.join(target), &function),
            "no {test} in {target}"
        );
    }
}

fn has_text(folder: &Path, text: &str) -> bool {
    let entries = fs::read_dir(folder).unwrap_or_else(|_| panic!("no {}", folder.display()));
    entries.map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return has_text(&path, text);
        }
        path.extension().is_some_and(|end| end == "rs")
            && fs::read_to_string(path).unwrap().contains(text)
    })
}
