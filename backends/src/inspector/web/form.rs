//! The forms that pages send.

use axum::body::{Body, to_bytes};
use http::request::Parts;

use super::checks::{is_equal, same_origin};
use super::problem::Problem;

/// The longest form, in bytes: a key has 1,024 unless a backend is set otherwise.
const MOST: usize = 64 * 1024;

/// A form of one of the inspector's own pages.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form, and makes sure that a page of this router sent it.
    ///
    /// # Errors
    ///
    /// `OtherSite` and `OldForm`; `TooLarge`.
    pub(super) async fn read(
        parts: &Parts,
        body: Body,
        token: Option<&str>,
    ) -> Result<Self, Problem> {
        same_origin(parts)?;
        let body = to_bytes(body, MOST).await;
        let body = body.map_err(|_| Problem::TooLarge)?;
        let form = Self(form_urlencoded::parse(&body).into_owned().collect());
        let sent = form.get("token").unwrap_or_default();
        match token {
            Some(token) if is_equal(sent, token) => Ok(form),
            _ => Err(Problem::OldForm),
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        let mut fields = self.0.iter();
        let field = fields.find(|(other, _)| other == name);
        field.map(|(_, value)| value.as_str())
    }

    /// Returns the values of the key fields, in their order.
    pub(super) fn key_fields(&self, count: usize) -> Vec<String> {
        let values = (0..count).map(|position| self.get(&field_name(position)));
        values
            .map(|value| value.unwrap_or_default().to_string())
            .collect()
    }
}

/// Returns the name of the input of a key field.
pub(super) fn field_name(position: usize) -> String {
    format!("field-{position}")
}
