//! The console's way from a request to an answer: who asks, whether they may, which page.

mod cookie;
mod form;
mod inside;
mod refusal;
mod reply;
pub(crate) mod route;
pub(crate) mod server;
mod visit;

pub(crate) use form::Fields;
pub(crate) use inside::inside;
pub(crate) use refusal::Refusal;
pub(crate) use reply::Reply;
pub(crate) use server::SESSION_COOKIE;
pub(crate) use visit::{VERIFIED_COOKIE, Visit, flash};
pub(crate) use {cookie::Lasts, cookie::read as read_cookie, cookie::write as write_cookie};
