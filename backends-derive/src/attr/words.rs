//! The meanings of the words, and the mistakes that are found.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use syn::{Error, ExprPath, Ident, LitStr, Result};

/// All mistakes of one item, reported together.
#[derive(Default)]
pub(crate) struct Mistakes(Vec<Error>);

/// The input from which no word could be read. It has been noted: nobody is told again that a word
/// is missing.
#[derive(Default)]
pub(crate) struct Unread {
    /// A text by itself.
    pub(crate) text: bool,
    /// An attribute without parentheses.
    pub(crate) attribute: bool,
}

/// A word where it stands.
pub(crate) struct Word<T> {
    pub(crate) name: Ident,
    /// `None` if it is a mistake, which has been noted.
    pub(crate) meaning: Option<T>,
}

/// The first part of every key.
pub(crate) enum Prefix {
    Text(String),
    /// Parts that dots join, the first one a text.
    Joined(Vec<PrefixPart>),
}

/// A part of a prefix.
pub(crate) enum PrefixPart {
    Text(LitStr),
    Constant(ExprPath),
}

/// The life of entries.
#[derive(Clone)]
pub(crate) enum Ttl {
    Never,
    /// The time, and the text that it is written as.
    For(Duration, String),
    Constant(ExprPath),
}

/// One limit of a throttle.
pub(crate) enum Limit {
    /// A number for a time, as text.
    Rate {
        /// As it is written.
        text: LitStr,
        count: u32,
        period: Duration,
    },
    /// The path of a constant `Quota`.
    Constant(ExprPath),
}

/// The windows that limits can be counted in.
#[derive(Clone, Copy)]
pub(crate) enum Window {
    Fixed,
    Sliding,
}

/// The outcome of a call that can't be made as it should: bytes that don't decode, or a store that
/// is away.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorOrMiss {
    Error,
    Miss,
}

impl Mistakes {
    pub(crate) fn add(&mut self, error: Error) {
        self.0.push(error);
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn at(&mut self, span: Span, message: &str) {
        self.add(Error::new(span, message));
    }

    /// Returns what `result` holds, or keeps its error.
    pub(super) fn keep<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    pub(crate) fn into_compile_errors(self) -> TokenStream {
        self.0.iter().map(Error::to_compile_error).collect()
    }
}

impl Limit {
    /// Returns the path, if the limit is a constant.
    pub(crate) fn constant(&self) -> Option<&ExprPath> {
        match self {
            Self::Constant(path) => Some(path),
            Self::Rate { .. } => None,
        }
    }
}
