//! The derive says what is wrong with a mistake where it stands, and takes code that is right.

#[test]
fn mistakes_are_shown_where_they_are() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/*.rs");
    cases.pass("ui/pass/*.rs");
}
