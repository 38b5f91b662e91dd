//! The forms of the page of users.

use bastide_identity::User;
use bastide_types::Role;

use super::Wrong;
use crate::design::{Button, Columns, Disclosure, Field, Form, Href, Html, LineUp, Paragraph, PostButton};
use crate::pages::roles;
use crate::web::Visit;

/// For somebody new. What was typed is kept, but for the password.
pub(super) fn new_user(visit: &Visit<'_>, wrong: Option<&Wrong>) -> Form {
    let sent = matches!(wrong, Some(Wrong::New { .. }));
    let typed = |name, usual: &str| match sent {
        true => visit.form.text(name).to_owned(),
        false => usual.to_owned(),
    };
    let told = |field: Field, name| match wrong {
        Some(Wrong::New { field: at, why }) if *at == name => field.error(why.as_str()),
        _ => field,
    };
    let name = Field::text("name", "Name")
        .value(typed("name", ""))
        .hint("With which they sign in; an e-mail address will do.")
        .required();
    let password = Field::password("password", "First password", "new-password")
        .hint("At least 12 characters. They change it on their account page, and set up their second factor there.")
        .required();
    let role = roles::field("Role", Role::Administrator, &typed("role", Role::Viewer.as_str()));
    Form::post(Href::page("/console/users"), &visit.csrf())
        .field(told(name, "name"))
        .field(told(role, "role"))
        .field(told(password, "password"))
        .button(Button::new("Add the user").primary())
}

/// Everything that can be done to somebody else.
pub(super) fn actions(visit: &Visit<'_>, user: &User) -> Html {
    let to = |action| Href::page("/console/users").segment(&user.id.to_string()).segment(action);
    let press = |action, button| Html::from(PostButton::new(to(action), &visit.csrf(), button));
    let choices = Role::ALL.iter().map(|r| crate::design::Choice::new(r.as_str(), r.as_str()));
    let role =
        Field::select("role", "Role", choices).value(user.role.as_str()).id(format!("role-{}", user.id));
    let role = Form::post(to("role"), &visit.csrf()).field(role).button(Button::new("Set the role"));
    let password = Field::password("password", "New password", "new-password")
        .hint("At least 12 characters. Their sessions and API tokens end.")
        .id(format!("password-{}", user.id))
        .required();
    let password =
        Form::post(to("password"), &visit.csrf()).field(password).button(Button::new("Set the password"));
    let mut quick = vec![press("sign-out", Button::new("Sign out everywhere"))];
    if user.second_factor {
        quick.push(press("totp-remove", Button::new("Remove the second factor")));
    }
    quick.push(match user.disabled_at {
        Some(_) => press("enable", Button::new("Enable")),
        None => press("disable", Button::new("Disable").danger()),
    });
    let remove = Html::from(Paragraph::new(
        "Their sessions and API tokens end, and their name is free again. The log keeps what they did.",
    ))
    .then(press("remove", Button::new("Remove for good").danger()));
    let all = Html::from(role)
        .then(Disclosure::new("Set another password", password))
        .then(LineUp::new(quick))
        .then(Disclosure::new("Remove", remove));
    // One column: what keeps room between its parts.
    Columns::new([all]).into()
}
