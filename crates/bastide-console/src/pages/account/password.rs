//! Changing one's own password.

use std::sync::Arc;

use bastide_admin::{Credentials, Failure, Kind, Made, NotIn};
use bastide_identity::SecondFactor;
use bastide_types::Secret;

use super::{Wrong, factor, page};
use crate::design::{Button, Card, Field, Form, Href};
use crate::web::{Lasts, Refusal, Reply, SESSION_COOKIE, Visit, flash, write_cookie};

pub(super) fn card(visit: &Visit<'_>, wrong: Option<&Wrong>) -> Card {
    let told = |field: Field, name| match wrong {
        Some(Wrong::Password { field: at, why }) if *at == name => field.error(why.as_str()),
        _ => field,
    };
    let current = Field::password("current_password", "Password now", "current-password").required();
    let new = Field::password("password", "New password", "new-password")
        .hint("At least 12 characters.")
        .id("new-password")
        .required();
    let again = Field::password("repeated_password", "New password, once more", "new-password").required();
    let mut form = Form::post(Href::page("/console/account/password"), &visit.csrf())
        .field(told(current, "current_password"));
    if factor::of(visit).is_ok_and(|factor| factor == SecondFactor::There) {
        let code = Field::code("code", "Code of your authenticator app");
        form = form.field(code.id("password-code"));
    }
    let form = form
        .field(told(new, "password"))
        .field(told(again, "repeated_password"))
        .button(Button::new("Change the password"));
    Card::new("Password").note("Your other sessions and your API tokens end with it.").body(form)
}

pub(in super::super) async fn set(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let who = visit.who()?;
    let wrong = |field, why: &str| page(visit, Some(&Wrong::Password { field, why: why.to_owned() }));
    let password = visit.form.get("password").unwrap_or_default();
    if password != visit.form.get("repeated_password").unwrap_or_default() {
        return wrong("repeated_password", "the two passwords are not the same");
    }
    let with = Credentials {
        name: who.name.clone(),
        password: Secret::new(visit.form.get("current_password").unwrap_or_default().to_owned()),
        code: visit.form.given("code").map(str::to_owned),
        address: visit.address(),
        user_agent: visit.user_agent.clone(),
    };
    let proved = match visit.admin().step_up(Arc::clone(who), with).await {
        Ok(proved) => proved.given,
        Err(NotIn::Refused) => {
            return wrong(
                "current_password",
                "password or code is not right, or there were too many attempts",
            );
        }
        Err(NotIn::Busy) => {
            return Err(
                Failure::could_not("too many passwords are being checked; try again in a moment").into()
            );
        }
        Err(NotIn::Failed(failure)) => return Err(failure.into()),
    };
    // From here on the session has another token, whatever becomes of the password.
    let (tls, kept) = (visit.visitor.tls, Arc::clone(&proved.session));
    let cookie = |token: &Secret<String>| write_cookie(SESSION_COOKIE, token.expose(), tls, Lasts::Session);
    let set =
        visit.admin().set_password(who.actor, who.user, Secret::new(password.to_owned()), Some(kept)).await;
    match set {
        Ok(Made { given: Some(issued), warnings }) => {
            let said = "the password is changed; your other sessions and tokens have ended";
            let said = flash::Said::made(said, &warnings);
            Ok(visit.done(&Href::page("/console/account"), &said).cookie(&cookie(&issued.token)))
        }
        Ok(Made { given: None, .. }) => Ok(Reply::see_other("/console/sign-in")),
        Err(failure) => {
            let visit = visit.renewed(&proved.session);
            let wrong = Wrong::Password { field: "password", why: failure.message().to_owned() };
            let reply = match failure.kind() {
                Kind::Usage => page(&visit, Some(&wrong))?,
                _ => Refusal::from(failure).into_reply(&visit),
            };
            Ok(reply.cookie(&cookie(&proved.token)))
        }
    }
}
