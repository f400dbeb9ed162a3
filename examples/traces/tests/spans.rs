//! The example prints the spans that it says it prints.

use std::process::Command;

/// Returns what a span says behind a name: `SpanId       : c3597671d547a864`.
fn field<'s>(span: &'s str, name: &str) -> &'s str {
    let mut lines = span.lines().map(str::trim);
    let line = lines.find_map(|line| line.strip_prefix(name)?.trim().strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in\n{span}"))
}

#[test]
fn calls_of_the_store_are_spans_within_those_of_the_program() {
    let output = Command::new(env!("CARGO_BIN_EXE_traces")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    let spans: Vec<&str> = said
        .split("Span #")
        .skip(1)
        .map(|span| span.split_once("\n\tName").unwrap().1)
        .collect();
    let names: Vec<&str> = spans
        .iter()
        .map(|span| span.lines().next().unwrap().trim_start_matches([' ', ':']))
        .collect();
    let (calls, logins) = (["throttle login", "write session"], "log in");
    let expected = [calls[0], calls[1], logins, calls[0], logins];
    assert_eq!(names, expected, "{said}");
    for (call, login) in [(0, 2), (1, 2), (3, 4)] {
        let parent = field(spans[call], "ParentSpanId");
        assert_eq!(parent, field(spans[login], "SpanId"), "{said}");
        assert_eq!(field(spans[call], "Kind"), "Client", "{said}");
        assert!(spans[call].contains("db.system.name"), "{said}");
    }
    assert!(spans[4].contains("reinhardt.quota"), "{said}");
    assert!(spans[4].contains("1/min"), "{said}");
    for part_of_a_key in ["ann", "first", "second"] {
        assert!(!said.contains(part_of_a_key), "{said}");
    }
}
