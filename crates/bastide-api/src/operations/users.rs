//! The people who may sign in.

use bastide_admin::{Failure, UserChange, could_not, show_time};
use bastide_identity::User;
use bastide_types::{Role, Secret, UserId};

use crate::call::{Call, Refusal};
use crate::shapes::{Changed, UserChanged, UserGiven, UserShown};

pub(crate) async fn list(call: &Call<'_>, (): (), (): ()) -> Result<Vec<UserShown>, Refusal> {
    Ok(call.admin().node.accounts.users().map_err(could_not)?.into_iter().map(shown).collect())
}

pub(crate) async fn create(call: &Call<'_>, (): (), given: UserGiven) -> Result<UserShown, Refusal> {
    let (by, password, role) = (call.authorized()?, Secret::new(given.password), role(&given.role)?);
    not_for_a_token(role == Role::Administrator, "made")?;
    let made = call.admin().create_user(&by, given.name, role, password).await?;
    Ok(UserShown { warnings: made.warnings, ..shown(made.given) })
}

pub(crate) async fn change(call: &Call<'_>, (): (), changed: UserChanged) -> Result<UserShown, Refusal> {
    let (by, person) = (call.authorized()?, named(call)?);
    let (user, above) = (person.id, person.role == Role::Administrator);
    let change = match changed {
        UserChanged::Role { role: name } => {
            let role = role(&name)?;
            not_for_a_token(role == Role::Administrator, "made")?;
            UserChange::Role(role)
        }
        // Whoever sets these for somebody can sign in as them.
        UserChanged::RemoveTotp | UserChanged::DeferTotp | UserChanged::Password { .. }
            if above || by.user() == Some(user) =>
        {
            not_for_a_token(true, "given another password or factor")?;
            return Ok(shown(person));
        }
        UserChanged::Disable => UserChange::Disable,
        UserChanged::Enable => UserChange::Enable,
        UserChanged::EndSessions => UserChange::EndSessions,
        UserChanged::RemoveTotp => UserChange::RemoveTotp,
        UserChanged::DeferTotp => UserChange::DeferTotp,
        UserChanged::Password { password } => {
            let set = call.admin().set_password(by.actor(), user, Secret::new(password), None).await?;
            return Ok(UserShown { warnings: set.warnings, ..shown(find(call, |u| u.id == user)?) });
        }
    };
    let made = call.admin().change_user(&by, user, change).await?;
    Ok(UserShown { warnings: made.warnings, ..shown(find(call, |u| u.id == user)?) })
}

pub(crate) async fn remove(call: &Call<'_>, (): (), (): ()) -> Result<Changed, Refusal> {
    let (by, user) = (call.authorized()?, named(call)?.id);
    let made = call.admin().change_user(&by, user, UserChange::Remove).await?;
    Ok(Changed { warnings: made.warnings })
}

/// A token that is found must not become a person for good: administrators are made and mended in the console, where who
/// does it proves who they are, or on the machine.
fn not_for_a_token(refused: bool, what: &str) -> Result<(), Refusal> {
    if !refused {
        return Ok(());
    }
    Err(Failure::denied(format!(
        "with an API token no administrator, and not its own user, is {what}; do it in the console or with `bastide user`"
    ))
    .into())
}

/// The user in the path, by id or name.
fn named(call: &Call<'_>) -> Result<User, Refusal> {
    let name = call.segment.to_ascii_lowercase();
    match call.segment.parse::<UserId>() {
        Ok(id) => find(call, |u| u.id == id),
        Err(_) => find(call, |u| u.name == name),
    }
}

fn find(call: &Call<'_>, which: impl Fn(&User) -> bool) -> Result<User, Refusal> {
    let users = call.admin().node.accounts.users().map_err(could_not)?;
    let shown: String = call.segment.chars().take(64).collect();
    let none = || Failure::not_found(format!("there is no user `{shown}`; `GET /api/v1/users` lists them"));
    Ok(users.into_iter().find(which).ok_or_else(none)?)
}

fn role(name: &str) -> Result<Role, Failure> {
    name.parse().map_err(|e: bastide_types::ParseRoleError| Failure::usage(e.to_string()))
}

fn shown(user: User) -> UserShown {
    UserShown {
        id: user.id.to_string(),
        name: user.name,
        role: user.role.as_str(),
        second_factor: user.second_factor,
        second_factor_deferred: user.second_factor_deferred,
        created: show_time(user.created_at),
        password_set: show_time(user.password_set_at),
        disabled: user.disabled_at.map(show_time),
        warnings: Vec::new(),
    }
}
