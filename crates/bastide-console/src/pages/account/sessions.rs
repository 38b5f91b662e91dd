//! Where one is signed in.

use bastide_identity::SessionCarrier;

use super::browser;
use crate::design::{Badge, Button, Card, Column, Href, Html, LineUp, PostButton, Row, Table, Tone, When};
use crate::web::{Lasts, Refusal, Reply, SESSION_COOKIE, Visit, flash, write_cookie};

pub(super) fn card(visit: &Visit<'_>) -> Result<Card, Refusal> {
    let who = visit.who()?;
    let sessions = visit.admin().node.accounts.sessions_of(who.user);
    let browsers = sessions.iter().filter(|session| session.carrier == SessionCarrier::Browser);
    let rows = browsers.map(|session| {
        let this = session.session == who.session;
        let mut name = vec![Html::from(browser::name(&session.user_agent))];
        name.extend(this.then(|| Badge::new(Tone::Accent, "this one").into()));
        let end =
            Href::page("/console/account/sessions").segment(&session.session.to_string()).segment("end");
        let label = if this { "Sign out" } else { "End" };
        Row::new([
            LineUp::new(name).into(),
            Html::from(session.address.as_str()),
            When::new(session.created_at, visit.now()).into(),
            When::new(session.seen_at(), visit.now()).into(),
            PostButton::new(end, &visit.csrf(), Button::new(label).small()).into(),
        ])
    });
    let columns = ["Browser", "Address", "Signed in", "Last seen", ""].map(Column::text);
    let table = Table::new("Your sessions", columns).rows(rows);
    let note = "A session ends after half an hour without use, and after twelve hours in any case.";
    Ok(Card::new("Sessions").note(note).flush().body(table))
}

/// Ends a session or token of one's own.
pub(in super::super) async fn end(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let who = visit.who()?;
    let sessions = visit.admin().node.accounts.sessions_of(who.user);
    let found = sessions.iter().find(|session| session.session.to_string() == visit.segment());
    let found = found.ok_or_else(|| Refusal::no("session of yours", visit.segment()))?;
    let ended = visit.admin().end_session(who.actor, found.session).await?;
    if found.session == who.session {
        let gone = write_cookie(SESSION_COOKIE, "", visit.visitor.tls, Lasts::Gone);
        return Ok(Reply::see_other("/console/sign-in").cookie(&gone));
    }
    let said = match &found.carrier {
        SessionCarrier::Browser => "the session has ended".to_owned(),
        SessionCarrier::Token { name, .. } => format!("the token `{name}` is revoked"),
    };
    Ok(visit.done(&Href::page("/console/account"), &flash::Said::made(said, &ended.warnings)))
}
