//! Changes of users.

use bastide_admin::{Made, UserChange};
use bastide_identity::User;
use bastide_types::{ParseRoleError, Role, Secret};

use super::{Wrong, page};
use crate::design::Href;
use crate::web::{Refusal, Reply, Visit, flash};

pub(in super::super) async fn create(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let role: Role = match visit.form.text("role").parse() {
        Ok(role) => role,
        Err(error) => return page(visit, Some(&Wrong::New { field: "role", why: format!("{error}") })),
    };
    let (name, password) =
        (visit.form.text("name").to_owned(), visit.form.get("password").unwrap_or_default());
    let password = Secret::new(password.to_owned());
    match visit.admin().create_user(&visit.authorized()?, name, role, password).await {
        Ok(Made { given: user, warnings }) => {
            let said = format!("`{}` can sign in now, as {role}", user.name);
            Ok(visit.done(&Href::page("/console/users"), &flash::Said::made(said, &warnings)))
        }
        Err(failure) => match failure.field() {
            Some(field) => page(visit, Some(&Wrong::New { field, why: failure.message().to_owned() })),
            None => Err(failure.into()),
        },
    }
}

pub(in super::super) async fn set_role(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let role: Role =
        visit.form.text("role").parse().map_err(|e: ParseRoleError| Refusal::Malformed(e.to_string()))?;
    change(visit, UserChange::Role(role), &format!("is {role} now")).await
}

pub(in super::super) async fn disable(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    change(visit, UserChange::Disable, "is disabled; their sessions and API tokens have ended").await
}

pub(in super::super) async fn enable(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    change(visit, UserChange::Enable, "can sign in again").await
}

pub(in super::super) async fn sign_out(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    change(visit, UserChange::EndSessions, "is signed out everywhere; their API tokens have ended").await
}

pub(in super::super) async fn remove_totp(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let said = "has no second factor now, and is asked to set one up at the next sign-in";
    change(visit, UserChange::RemoveTotp, said).await
}

pub(in super::super) async fn remove(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    change(visit, UserChange::Remove, "is removed").await
}

pub(in super::super) async fn set_password(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let user = somebody_else(visit)?;
    let by = visit.authorized()?;
    let password = Secret::new(visit.form.get("password").unwrap_or_default().to_owned());
    match visit.admin().set_password(by.actor(), user.id, password, None).await {
        Ok(made) => {
            let said = "has another password; their sessions and API tokens have ended";
            Ok(done(visit, &user, said, &made.warnings))
        }
        Err(failure) => not_done(visit, &user, failure.message()),
    }
}

async fn change(visit: &Visit<'_>, change: UserChange, said: &str) -> Result<Reply, Refusal> {
    let user = somebody_else(visit)?;
    match visit.admin().change_user(&visit.authorized()?, user.id, change).await {
        Ok(made) => Ok(done(visit, &user, said, &made.warnings)),
        Err(failure) => not_done(visit, &user, failure.message()),
    }
}

/// Whom the address names: never whoever is signed in, who would lock themselves out.
fn somebody_else(visit: &Visit<'_>) -> Result<User, Refusal> {
    let users = visit.admin().users()?;
    let found = users.into_iter().find(|user| user.id.to_string() == visit.segment());
    let user = found.ok_or_else(|| Refusal::no("user", visit.segment()))?;
    if user.id == visit.who()?.user {
        let why = "nobody changes themselves here; ask another administrator, or use your account page";
        return Err(Refusal::Denied(why.to_owned()));
    }
    Ok(user)
}

fn done(visit: &Visit<'_>, user: &User, said: &str, warnings: &[String]) -> Reply {
    let said = flash::Said::made(format!("`{}` {said}", user.name), warnings);
    visit.done(&Href::page("/console/users"), &said)
}

fn not_done(visit: &Visit<'_>, user: &User, why: &str) -> Result<Reply, Refusal> {
    page(visit, Some(&Wrong::Of { user: user.id, why: why.to_owned() }))
}
