//! One's own account: who one is, the second factor, the password, sessions, tokens, the theme.

mod browser;
mod factor;
mod password;
mod sessions;
mod tokens;

use bastide_identity::SecondFactor;
use http::{Method, StatusCode};

pub(super) use self::factor::{begin as begin_totp, confirm as confirm_totp, defer as defer_totp};
pub(super) use self::password::set as set_password;
pub(super) use self::sessions::end as end_session;
pub(super) use self::tokens::create as create_token;
use super::roles;
use crate::design::{Card, Columns, Disclosure, Facts, Href, Html, Theme};
use crate::web::route::Route;
use crate::web::{Lasts, Refusal, Reply, Visit, inside, write_cookie};

/// The form of this page that was sent, and what is wrong with it.
enum Wrong {
    Password { field: &'static str, why: String },
    Token { field: &'static str, why: String },
}

pub(super) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    if factor::of(visit)? == SecondFactor::Missing {
        return Ok(Reply::page(factor::offer(visit)));
    }
    page(visit, None)
}

/// The page; with what is wrong, as the answer to the form that was sent.
fn page(visit: &Visit<'_>, wrong: Option<&Wrong>) -> Result<Reply, Refusal> {
    let who = visit.who()?;
    let role = who.role();
    let you = Card::new("You").body(
        Facts::new()
            .fact("Name", who.name.as_str())
            .fact("Role", role.as_str())
            .fact("What it is for", roles::about(role)),
    );
    let you = you.body(Disclosure::new("The permissions", roles::permissions(role)));
    let first = Html::from(you).then(factor::card(visit)?);
    let second = Html::from(password::card(visit, wrong));
    let page = visit
        .shell("Your account", &Href::page("/console/account"))
        .body(Columns::new([first, second]))
        .body(sessions::card(visit)?)
        .body(tokens::card(visit, wrong)?);
    Ok(match wrong {
        None => visit.page(&page),
        Some(_) => Reply::page_with(StatusCode::UNPROCESSABLE_ENTITY, page.render()),
    })
}

pub(super) async fn set_theme(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let theme = Theme::named(visit.form.text("theme"));
    let kept = Lasts::Seconds(365 * 24 * 60 * 60);
    let cookie = write_cookie("bastide_theme", theme.as_str(), visit.visitor.tls, kept);
    Ok(Reply::see_other(&back(visit)).cookie(&cookie))
}

/// The page that the form stood on, where the browser says that it is one of ours.
fn back(visit: &Visit<'_>) -> String {
    let rest = visit.referer.split_once("://").map(|(_, rest)| rest).unwrap_or_default();
    let target = inside(rest.strip_prefix(visit.host.as_str()).unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    // A page that was the answer to a form has no address to come back to.
    if Route::find(&Method::GET, path).is_ok() { target.to_owned() } else { "/console".to_owned() }
}
