//! The docs of the accessors are read by every user, and by nobody who changes this crate: so all
//! of them stand in a file.

use quote::ToTokens;
use syn::{Attribute, Expr, ExprLit, ImplItem, Item, Lit};

const WRITTEN: &str = include_str!("docs.txt");

const KEYSPACES: [&str; 9] = [
    "#[keyspace(prefix = \"session\", ttl = \"30m\", sliding, shared)]
    struct Session { #[keyspace(key)] id: String, user: u64 }",
    "#[keyspace(prefix = \"order\", ttl = never)]
    struct Order { #[keyspace(key)] shop: String, #[keyspace(key)] number: u64, total: u64 }",
    "#[keyspace(prefix = \"page\", ttl = \"5m\", value = String)] struct Page { path: String }",
    "#[keyspace(prefix = \"user\", ttl = \"5m\", shared, on_unavailable = \"miss\")]
    struct User { #[keyspace(key)] id: u64, name: String }",
    "#[keyspace(prefix = \"price\", ttl = \"5m\", value = u32, on_unavailable = \"miss\")]
    struct Price { article: u64 }",
    "#[keyspace(prefix = \"feed\", ttl = \"5m\", value = String, lease = \"10s\")]
    struct Feed { name: String }",
    "#[keyspace(prefix = \"news\", ttl = \"5m\", value = String, lease = \"10s\", stale = \"1h\")]
    struct News { name: String }",
    "#[keyspace(prefix = \"hits\", ttl = \"1m\", counter)] struct Hits { path: String }",
    "#[keyspace(prefix = \"login\", limit = \"5/min\", burst = 10)] struct Login { user: String }",
];

/// Run with `WRITE_DOCS=1` to write the file, and read what has changed in it.
#[test]
fn the_docs_of_all_accessors_are_as_written() {
    let docs: String = KEYSPACES.iter().map(|item| docs_of(item)).collect();
    if std::env::var_os("WRITE_DOCS").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/accessors/docs.txt");
        std::fs::write(file, &docs).unwrap();
        return;
    }
    let lines = docs.lines().zip(WRITTEN.lines());
    for (number, (now, written)) in lines.enumerate() {
        assert_eq!(now, written, "line {} of docs.txt", number + 1);
    }
    assert_eq!(docs.lines().count(), WRITTEN.lines().count());
}

/// Returns the docs of the methods that the derive gives a struct.
fn docs_of(item: &str) -> String {
    let item: syn::DeriveInput = syn::parse_str(item).unwrap();
    let expanded: syn::File = syn::parse2(crate::expand::derive(&item)).unwrap();
    let mut docs = String::new();
    for item in expanded.items {
        let Item::Impl(item) = item else {
            continue;
        };
        if item.trait_.is_some() {
            continue;
        }
        let name = item.self_ty.to_token_stream();
        for member in item.items {
            if let ImplItem::Fn(method) = member {
                let text: Vec<String> = method.attrs.iter().filter_map(doc).collect();
                let method = method.sig.ident;
                docs += &format!("# {name}::{method}\n{}\n\n", text.join("\n"));
            }
        }
    }
    docs
}

fn doc(attribute: &Attribute) -> Option<String> {
    let doc = attribute.meta.require_name_value().ok()?;
    match &doc.value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) if doc.path.is_ident("doc") => Some(text.value()),
        _ => None,
    }
}
