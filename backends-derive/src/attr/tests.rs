//! The grammar of `limit` is also the library's, which a macro can't call: both read one table.

use proc_macro2::Span;
use quote::ToTokens;
use syn::LitStr;
use syn::parse::{ParseStream, Parser};

use super::Limit;
use super::parse::limit;

const TABLE: &str = include_str!("limits.txt");

#[test]
fn limits_are_read_as_the_table_has_them() {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    for row in rows {
        let (text, meaning) = row.split_once(" => ").unwrap();
        let text = LitStr::new(text.trim_matches('"'), Span::call_site());
        let parser = |input: ParseStream<'_>| limit(input, "`5/min`");
        let read = parser.parse2(text.to_token_stream());
        let meaning = meaning.split(" but ").next().unwrap();
        match read {
            Ok(Limit::Rate { count, period, .. }) => {
                let micros = period.as_micros();
                assert_eq!(format!("{count} {micros}"), meaning, "{row}");
            }
            Ok(Limit::Constant(_)) => panic!("{row} is read as a constant"),
            Err(error) => assert!(error.to_string().starts_with(meaning), "{row}: {error}"),
        }
    }
}
