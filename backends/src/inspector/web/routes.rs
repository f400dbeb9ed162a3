//! The pages by path and method.

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{Method, StatusCode};

use super::answer::{file, lead_to, page};
use super::form::Form;
use super::links::Links;
use super::pages::{self, Frame};
use super::problem::Problem;
use super::{Site, check};
use crate::error::ErrorKind;
use crate::inspector::catalog::{self, Listed};
use crate::inspector::entry::Digest;
use crate::inspector::handles::Address;
use crate::inspector::listing::{self, Listing};
use crate::inspector::{entry, fields};
use crate::keyspace::{Inspected, Key};

impl Site {
    pub(super) async fn route(
        &self,
        parts: &Parts,
        body: Body,
        links: &Links,
    ) -> Result<Response, Problem> {
        let path: Vec<&str> = parts.uri.path().split('/').skip(1).collect();
        let can = |methods: &'static [Method]| match methods.contains(&parts.method) {
            true => Ok(()),
            false => Err(Problem::WrongMethod(methods)),
        };
        let token = self.token.as_deref();
        match path.as_slice() {
            ["" | "keyspaces"] => {
                can(READ)?;
                self.keyspaces(links).await
            }
            [name] => {
                let (kind, content) = pages::asset(name).ok_or(Problem::NoPage)?;
                can(READ)?;
                Ok(file(kind, content))
            }
            ["keyspaces", name] => {
                let listed = catalog::find(name).ok_or(Problem::NoPage)?;
                can(READ_OR_POST)?;
                match parts.method == Method::POST {
                    true => {
                        let form = Form::read(parts, body, token).await?;
                        self.look_up(listed, &form, links)
                    }
                    false => self.keyspace(listed, parts.uri.query(), links).await,
                }
            }
            ["entries", handle] => {
                can(READ)?;
                self.entry(handle, links).await
            }
            ["entries", handle, "delete"] => {
                can(POST)?;
                self.may_delete(parts).await?;
                Form::read(parts, body, token).await?;
                self.ask_again(handle, links).await
            }
            ["entries", deletion, "sure"] => {
                can(POST)?;
                self.may_delete(parts).await?;
                Form::read(parts, body, token).await?;
                self.delete(deletion, links).await
            }
            _ => Err(Problem::NoPage),
        }
    }

    fn frame<'a>(&'a self, links: &'a Links) -> Frame<'a> {
        Frame {
            links,
            token: self.token.as_deref().unwrap_or_default(),
            deletes: self.deletes.is_some(),
        }
    }

    async fn keyspaces(&self, links: &Links) -> Result<Response, Problem> {
        let survey = self.surveys.get().await.map_err(Problem::Store)?;
        let frame = self.frame(links);
        let content = pages::keyspaces(&frame, &survey, self.reads.as_ref());
        Ok(page(StatusCode::OK, content))
    }

    async fn keyspace(
        &self,
        listed: &'static Listed,
        query: Option<&str>,
        links: &Links,
    ) -> Result<Response, Problem> {
        let frame = self.frame(links);
        if listed.inspected.is_none() {
            return Ok(page(StatusCode::OK, pages::keyspace(&frame, listed, None)));
        }
        let query = query.unwrap_or_default();
        let most = match query {
            "more" => listing::MOST,
            _ => listing::FIRST,
        };
        let Listing {
            entries,
            rest,
            foreign,
        } = {
            let _place = self.place().await?;
            let listing = listing::list(&*self.backend, listed, most).await;
            listing.map_err(Problem::Store)?
        };
        let keys = entries.iter().map(|entry| entry.key.clone());
        let addresses = keys.map(|key| Address::of(listed, key)).collect();
        let handles = self.handles.name_all(addresses).map_err(Problem::Store)?;
        let found = pages::Found {
            entries: entries.into_iter().zip(handles).collect(),
            rest,
            foreign,
        };
        let content = pages::keyspace(&frame, listed, Some(&found));
        Ok(page(StatusCode::OK, content))
    }

    /// The key comes by `POST`, and the browser is led to a handle: no key is in an address.
    fn look_up(
        &self,
        listed: &'static Listed,
        form: &Form,
        links: &Links,
    ) -> Result<Response, Problem> {
        if listed.inspected.is_none() {
            return Err(Problem::NotShown);
        }
        let values = form.key_fields(listed.info.key_fields.len());
        let key = fields::key_of(listed, &values);
        // A handle is kept, so its key may not be longer than a key can be.
        let limits = self.backend.info().limits;
        let key = key.filter(|key| limits.check_key(key).is_ok());
        let key = key.ok_or(Problem::NoKey(listed))?;
        let handle = self.handles.name(Address::of(listed, key));
        let handle = handle.map_err(Problem::Store)?;
        Ok(lead_to(&links.to(&format!("entries/{handle}"))))
    }

    async fn entry(&self, handle: &str, links: &Links) -> Result<Response, Problem> {
        let Address { listed, key, .. } = self.find(handle)?.0;
        let frame = self.frame(links);
        let place = Some(self.place().await?);
        let entry = match entry::read(&*self.backend, listed, &key, place).await {
            // Such as a key over the limit.
            Err(error) if error.kind() == ErrorKind::InvalidKey => {
                return Err(Problem::NoKey(listed));
            }
            entry => (entry.map_err(Problem::Store)?).ok_or(Problem::NoEntry(listed))?,
        };
        let content = pages::entry(&frame, listed, &key, handle, &entry);
        Ok(page(StatusCode::OK, content))
    }

    /// Asks whether to delete what is there now.
    async fn ask_again(&self, handle: &str, links: &Links) -> Result<Response, Problem> {
        let Address { listed, key, .. } = self.find(handle)?.0;
        if !listed.may_be_deleted {
            return Err(Problem::HiddenVersion);
        }
        let seen = self.digest(&key).await?.ok_or(Problem::NoEntry(listed))?;
        let deletion = self.handles.name(Address {
            listed,
            key: key.clone(),
            to_delete: Some(seen),
        });
        let deletion = deletion.map_err(Problem::Store)?;
        let frame = self.frame(links);
        let content = pages::ask_again(&frame, listed, &key, handle, &deletion);
        Ok(page(StatusCode::OK, content))
    }

    /// Deletes an entry if it is still the one that the deletion was asked for.
    async fn delete(&self, deletion: &str, links: &Links) -> Result<Response, Problem> {
        let (address, inspected) = self.find(deletion)?;
        let Some(seen) = address.to_delete else {
            return Err(Problem::OldHandle);
        };
        // Each deletion that was asked for happens once.
        self.handles.take(deletion).ok_or(Problem::OldHandle)?;
        let Address { listed, key, .. } = address;
        let was_there = match self.digest(&key).await? {
            Some(now) if now != seen => return Err(Problem::Changed(listed)),
            Some(_) => {
                let removed = (inspected.remove)(&self.backend, &key).await;
                removed.map_err(Problem::Store)?
            }
            None => false,
        };
        let content = pages::deleted(&self.frame(links), listed, was_there);
        Ok(page(StatusCode::OK, content))
    }

    /// Returns what tells the present content of an entry from another one.
    async fn digest(&self, key: &Key) -> Result<Option<Digest>, Problem> {
        let _place = self.place().await?;
        let digest = entry::digest(&*self.backend, key).await;
        digest.map_err(Problem::Store)
    }

    /// Returns the entry of a handle, if it may be shown.
    fn find(&self, handle: &str) -> Result<(Address, Inspected), Problem> {
        let address = self.handles.find(handle).ok_or(Problem::OldHandle)?;
        let listed = address.listed;
        let is_key = fields::is_key(listed, &address.key);
        let inspected = listed.inspected.filter(|_| is_key);
        let inspected = inspected.ok_or(Problem::NotShown)?;
        Ok((address, inspected))
    }

    async fn may_delete(&self, parts: &Parts) -> Result<(), Problem> {
        match &self.deletes {
            Some(authorize) => check(authorize, parts).await,
            None => Err(Problem::NoDeletes),
        }
    }
}

const READ: &[Method] = &[Method::GET, Method::HEAD];
const POST: &[Method] = &[Method::POST];
const READ_OR_POST: &[Method] = &[Method::GET, Method::HEAD, Method::POST];
