//! `bastide token`: API tokens for programs that use the management API.

use bastide_admin::{Failure, Request, TokenWanted};
use serde_json::Value;

use crate::cli::Token;
use crate::client::{execute, print, table};

pub(crate) fn run(command: Token) -> Result<(), Failure> {
    match command {
        Token::Create { user, name, role, expires, data, output } => {
            let wanted = TokenWanted { user, name, role, expires };
            let made = execute(&data, Request::TokenCreate(wanted))?;
            print(output.json, &made, |made| {
                format!(
                    "{}   {}, of {}, as {}, until {}\n{}\nThis is shown once. Send it as `authorization: Bearer ...`.\n",
                    text(&made["id"]),
                    text(&made["name"]),
                    text(&made["user"]),
                    text(&made["role"]),
                    text(&made["expires"]),
                    text(&made["token"])
                )
            })
        }
        Token::List { data, output } => {
            let tokens = execute(&data, Request::TokenList)?;
            print(output.json, &tokens, |tokens| {
                let none = "no tokens yet; make one with `bastide token create USER --name NAME --role ROLE`";
                table(tokens, &["id", "user", "name", "role", "created", "expires", "seen"], none)
            })
        }
        Token::Revoke { token, data, output } => {
            let revoked = execute(&data, Request::TokenRevoke { token })?;
            print(output.json, &revoked, |t| format!("{} is revoked\n", text(&t["id"])))
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}
