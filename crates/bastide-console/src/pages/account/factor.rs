//! The second factor: an authenticator app, and the recovery codes in its stead.

use bastide_admin::Kind;
use bastide_identity::SecondFactor;
use bastide_types::Permission;
use http::StatusCode;

use crate::design::{
    Badge, Button, Callout, Card, Code, Facts, Field, Form, Href, Html, Id, Language, LineUp, Link,
    Paragraph, PostButton, Qr, Tone,
};
use crate::pages::warnings;
use crate::web::{Refusal, Reply, Visit};

/// How whoever is signed in stands with it.
pub(super) fn of(visit: &Visit<'_>) -> Result<SecondFactor, Refusal> {
    let accounts = &visit.admin().node.accounts;
    accounts.second_factor(visit.who()?.user).map_err(|e| Refusal::NotFound(e.to_string()))
}

/// On one's own page.
pub(super) fn card(visit: &Visit<'_>) -> Result<Card, Refusal> {
    let there = of(visit)? == SecondFactor::There;
    let card = Card::new("Second factor").note("A code from your device, asked for beside the password.");
    if !there {
        return Ok(card
            .end(Badge::new(Tone::Flag, "missing"))
            .body(Paragraph::new("Any app for one-time codes will do: it needs no network and no account."))
            .body(LineUp::new([Html::from(begin_button(visit, "Set up an authenticator app", true))])));
    }
    let who = visit.who()?;
    let left = visit.admin().node.accounts.recovery_codes_left(who.user);
    let left = left.map_or_else(|_| "cannot be read".to_owned(), |left| format!("{left} of 10 left"));
    Ok(card
        .end(Badge::new(Tone::Allow, "on"))
        .body(Facts::new().fact("Authenticator app", "set up").fact("Recovery codes", left))
        .body(
            Paragraph::new(
                "Another device, or codes that are used up: set up anew, and the ones of before end.",
            )
            .hush(),
        )
        .body(LineUp::new([Html::from(begin_button(visit, "Set up anew", false))])))
}

fn begin_button(visit: &Visit<'_>, label: &'static str, primary: bool) -> PostButton {
    let button = if primary { Button::new(label).primary() } else { Button::new(label) };
    PostButton::new(Href::page("/console/account/totp"), &visit.csrf(), button)
}

/// What somebody without one sees instead of any other page.
pub(super) fn offer(visit: &Visit<'_>) -> String {
    let mut ways = vec![Html::from(begin_button(visit, "Set it up", true))];
    let mut why = "Whoever learns your password would be in. A second factor, a code from an authenticator app on your \
                   device, keeps them out; setting it up takes a minute."
        .to_owned();
    if visit.local {
        let later = Button::new("Later").quiet();
        let defer = Href::page("/console/account/totp/defer");
        ways.push(PostButton::new(defer, &visit.csrf(), later).into());
        why.push_str(" On this machine you can do it later; the console reminds you until then.");
    }
    let out = Button::new("Sign out").quiet();
    ways.push(PostButton::new(Href::page("/console/sign-out"), &visit.csrf(), out).into());
    visit
        .bare("Protect your account")
        .lead("One more step.")
        .body(Paragraph::new(why))
        .body(LineUp::new(ways))
        .render()
}

pub(in super::super) async fn begin(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let setup = visit.admin().begin_totp(visit.who()?.user)?;
    let mut page = visit
        .bare("Set up an authenticator app")
        .wide()
        .lead("Scan the code with the app, then type the six digits that it shows. It waits ten minutes.");
    if let Some(qr) = Qr::new(setup.uri.expose(), "The code to scan; its text stands below") {
        page = page.body(qr);
    }
    let by_hand = Facts::new()
        .fact("Or type this in", Id::new(setup.secret.expose().as_str()).grouped())
        .fact("Or open this", Id::new(setup.uri.expose().as_str()));
    Ok(Reply::page(page.body(by_hand).body(confirm_form(visit, None)).render()))
}

fn confirm_form(visit: &Visit<'_>, wrong: Option<&str>) -> Form {
    let code = Field::code("code", "Code that the app shows").mono().required().focus();
    let code = match wrong {
        Some(why) => code.value(visit.form.text("code")).error(why),
        None => code,
    };
    Form::post(Href::page("/console/account/totp/confirm"), &visit.csrf())
        .field(code)
        .button(Button::new("Confirm").primary())
        .link(Link::button(Href::page("/console/account"), "Cancel"))
}

pub(in super::super) async fn confirm(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let who = visit.who()?;
    let made = match visit.admin().confirm_totp(who.actor, who.user, visit.form.text("code")).await {
        Ok(made) => made,
        Err(failure) if failure.kind() == Kind::Usage => {
            let page = visit
                .bare("Set up an authenticator app")
                .lead("Type the six digits that the app shows now.")
                .body(confirm_form(visit, Some(failure.message())))
                .body(begin_button(visit, "Begin again", false));
            return Ok(Reply::page_with(StatusCode::UNPROCESSABLE_ENTITY, page.render()));
        }
        Err(failure) => return Err(failure.into()),
    };
    let text: Vec<&str> = made.given.iter().map(|code| code.expose().as_str()).collect();
    let page = visit
        .bare("Keep these recovery codes")
        .wide()
        .lead("The authenticator app is in force.")
        .body(warnings(&made.warnings))
        .body(
            Callout::new(Tone::Flag, "They are shown this once").body(Paragraph::new(
                "Each signs you in once in place of the app: when the device is lost. Keep them where the device is not.",
            )),
        )
        .body(Code::new("Recovery codes", Language::Plain, text.join("\n")))
        .body(Link::button(Href::page(landing(visit)), "I have kept them: go on").primary());
    Ok(Reply::page(page.render()))
}

pub(in super::super) async fn defer(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let who = visit.who()?;
    if !visit.local {
        return Err(Refusal::Denied(
            "the second factor can be put off only on the machine itself; set it up now".to_owned(),
        ));
    }
    if of(visit)? == SecondFactor::Missing {
        let made = visit.admin().defer_own_totp(who).await?;
        return Ok(visit.onward(landing(visit), &made.warnings));
    }
    Ok(Reply::see_other(landing(visit)))
}

/// Where somebody new begins: with the first steps, or where those are not for them with what they may see.
fn landing(visit: &Visit<'_>) -> &'static str {
    if visit.may(Permission::TextInspect) { "/console/guide" } else { "/console" }
}
