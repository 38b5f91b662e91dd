//! `bastide user`: the people who may sign in, from the machine itself. It asks no password of whoever may read the data
//! folder, so it is how somebody who is locked out gets back in.

use std::io::{self, IsTerminal as _};

use bastide_admin::{Failure, PasswordGiven, Request};
use serde_json::Value;

use crate::cli::{Output, User};
use crate::client::{execute, print, table};
use crate::terminal::{Quiet, asked, line};

pub(crate) fn run(command: User) -> Result<(), Failure> {
    match command {
        User::List { data, output } => {
            let users = execute(&data, Request::UserList)?;
            print(output.json, &users, |users| {
                let columns = ["id", "name", "role", "state", "second_factor", "last_seen", "created"];
                table(
                    users,
                    &columns,
                    "no users yet; open the console to make the first one, or `bastide user create NAME`",
                )
            })
        }
        User::Create { name, role, data, output } => {
            let password = PasswordGiven(password()?);
            let made = execute(&data, Request::UserCreate { name, role, password })?;
            say(output, &made, |user| format!("can sign in, as {}", word(&user["role"])))
        }
        User::Role { user, role, data, output } => {
            let changed = execute(&data, Request::UserRole { user, role })?;
            say(output, &changed, |user| format!("is {} now", word(&user["role"])))
        }
        User::Disable { user, data, output } => {
            let changed = execute(&data, Request::UserDisable { user })?;
            say(output, &changed, |_| "is disabled; their sessions and tokens have ended".to_owned())
        }
        User::Enable { user, data, output } => {
            let changed = execute(&data, Request::UserEnable { user })?;
            say(output, &changed, |_| "can sign in again".to_owned())
        }
        User::Password { user, data, output } => {
            let password = PasswordGiven(password()?);
            let changed = execute(&data, Request::UserPassword { user, password })?;
            say(output, &changed, |_| "has another password; their sessions and tokens have ended".to_owned())
        }
        User::TotpRemove { user, data, output } => {
            let changed = execute(&data, Request::UserTotpRemove { user })?;
            say(output, &changed, |_| "has no second factor now; the console asks for a new one".to_owned())
        }
        User::Remove { user, data, output } => {
            let removed = execute(&data, Request::UserRemove { user })?;
            say(output, &removed, |_| "is removed".to_owned())
        }
    }
}

fn say(output: Output, user: &Value, what: impl FnOnce(&Value) -> String) -> Result<(), Failure> {
    print(output.json, user, |user| format!("{} {}\n", word(&user["name"]), what(user)))
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

/// A password: asked for twice at a terminal, else the first line of standard input.
fn password() -> Result<String, Failure> {
    let input = io::stdin();
    let password = if input.is_terminal() {
        let _quiet = Quiet::begin()?;
        let (first, again) = (asked("Password: ")?, asked("Password, once more: ")?);
        if first.expose() != again.expose() {
            return Err(Failure::usage("the two passwords are not the same"));
        }
        first
    } else {
        line()?
    };
    if password.expose().is_empty() {
        return Err(Failure::could_not("there is no password on standard input"));
    }
    Ok(password.expose().clone())
}
