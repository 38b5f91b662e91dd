//! The people who may sign in.

mod change;
mod form;

use bastide_identity::{SessionCarrier, User};
use http::StatusCode;

pub(super) use self::change::{
    create, disable, enable, remove, remove_totp, set_password, set_role, sign_out,
};
use self::form::{actions, new_user};
use crate::design::{Badge, Callout, Card, Column, Dialog, Href, Html, LineUp, Link, Row, Table, Tone, When};
use crate::web::{Refusal, Reply, Visit};

/// What could not be done, and where its form stands.
enum Wrong {
    /// At a field of the form for a new user.
    New { field: &'static str, why: String },
    /// At somebody's actions.
    Of { user: bastide_types::UserId, why: String },
}

pub(super) async fn list(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    page(visit, None)
}

fn page(visit: &Visit<'_>, wrong: Option<&Wrong>) -> Result<Reply, Refusal> {
    let users = visit.admin().users()?;
    let mut rows = Vec::new();
    for user in &users {
        rows.push(row(visit, user, wrong)?);
    }
    let columns = ["Name", "Role", "Second factor", "Last seen", "Added", ""].map(Column::text);
    let table = Table::new("Users", columns).rows(rows);
    let mut page = visit
        .shell("Users", &Href::page("/console/users"))
        .lead("Who may sign in here, and what each of them may do. Every change is in the log.");
    let form = new_user(visit, wrong);
    page = match wrong {
        // A closed dialog would hide what is wrong.
        Some(Wrong::New { .. }) => page.body(Card::new("New user").body(form)),
        _ => page.action(Dialog::new("New user", "New user", form)),
    };
    if let Some(Wrong::Of { user, why }) = wrong
        && let Some(user) = users.iter().find(|u| u.id == *user)
    {
        // Beside the table, where its width is not: this is what was asked for and could not be done.
        let said = Callout::new(Tone::Block, why.as_str()).body(Html::from("Nothing was changed."));
        let card = Card::new(user.name.clone()).body(said).body(actions(visit, user));
        page = page.body(card);
    }
    let page = page.body(table);
    Ok(match wrong {
        None => visit.page(&page),
        Some(_) => Reply::page_with(StatusCode::UNPROCESSABLE_ENTITY, page.render()),
    })
}

fn row(visit: &Visit<'_>, user: &User, wrong: Option<&Wrong>) -> Result<Row, Refusal> {
    let own = visit.who()?.user == user.id;
    let sessions = visit.admin().node.accounts.sessions_of(user.id);
    let seen = sessions.iter().map(|session| session.seen_at()).max();
    let tokens = sessions.iter().filter(|s| s.carrier != SessionCarrier::Browser).count();
    let mut name = vec![Html::from(user.name.as_str())];
    name.extend(own.then(|| Badge::new(Tone::Accent, "you").into()));
    name.extend(user.disabled_at.is_some().then(|| Badge::new(Tone::Block, "disabled").into()));
    let factor = match (user.second_factor, user.second_factor_deferred) {
        (true, _) => Badge::new(Tone::Allow, "on"),
        (false, true) => Badge::new(Tone::Flag, "put off"),
        (false, false) => Badge::new(Tone::Neutral, "at the next sign-in"),
    };
    let seen = seen.map_or_else(|| Html::from("not signed in"), |at| When::new(at, visit.now()).into());
    let seen = match tokens {
        0 => seen,
        n => seen.then(format!(", {n} API token{}", if n == 1 { "" } else { "s" })),
    };
    // The form that went wrong stands above, with every id once.
    let shown_above = matches!(wrong, Some(Wrong::Of { user: id, .. }) if *id == user.id);
    let actions = match shown_above {
        true => Html::from("above"),
        false if own => Link::new(Href::page("/console/account"), "Your account").into(),
        false => Dialog::new("Change", format!("Change `{}`", user.name), actions(visit, user)).into(),
    };
    Ok(Row::new([
        LineUp::new(name).into(),
        Html::from(user.role.as_str()),
        factor.into(),
        seen,
        When::new(user.created_at, visit.now()).into(),
        actions,
    ]))
}
