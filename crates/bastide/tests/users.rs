//! People: on the command line, on their account page, and how somebody who is locked out gets back in.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::process::Output;

use bastide_testkit::temp_folder;
use common::console::{PASSWORD, Place, Visitor};
use common::{bastide, bastide_told};
use serde_json::Value;

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(output)))
}

/// `bastide user ...` with a password on standard input.
fn user(data: &str, arguments: &[&str], input: &str) -> Output {
    bastide_told(&[&["user"], arguments, &["--data", data, "--json"]].concat(), &[], input)
}

#[allow(clippy::disallowed_methods, reason = "an app reads the real clock, as the server does")]
/// The code that an app shows now (RFC 6238, six digits, 30 s), for a secret in base32.
fn totp(secret: &str, steps_ahead: u64) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut key, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for byte in secret.bytes() {
        let value = ALPHABET.iter().position(|a| *a == byte).expect("base32");
        held = (held << 5) | u32::try_from(value).expect("five bits");
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            key.push(u8::try_from((held >> bits) & 0xff).expect("a byte"));
        }
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let step = now.as_secs() / 30 + steps_ahead;
    let tag = bastide_crypto::hmac_sha1(&key, &step.to_be_bytes());
    let at = usize::from(tag[19] & 0xf);
    let four = [tag[at] & 0x7f, tag[at + 1], tag[at + 2], tag[at + 3]];
    format!("{:06}", u32::from_be_bytes(four) % 1_000_000)
}

/// Enrols an app for whoever is signed in: its secret and the recovery codes.
fn enrol(visitor: &mut Visitor) -> (String, Vec<String>) {
    let page = visitor.post("/console/account/totp", &[]).text();
    assert!(page.contains("<svg class=\"qr\"") && page.contains("otpauth://totp/bastide:ada"), "{page}");
    let secret = page.split("secret=").nth(1).expect("a secret");
    let secret: String = secret.chars().take_while(char::is_ascii_alphanumeric).collect();
    let wrong = visitor.post("/console/account/totp/confirm", &[("code", "000 000")]);
    assert_eq!(wrong.status, 422);
    assert!(wrong.text().contains("not the code") && !wrong.text().contains(&secret));
    let done = visitor.post("/console/account/totp/confirm", &[("code", &totp(&secret, 0))]);
    assert_eq!(done.status, 200, "{}", done.text());
    let page = done.text();
    let codes: Vec<String> = page
        .split("<span class=\"line\">")
        .skip(1)
        .map(|rest| {
            rest.split("</span>")
                .next()
                .unwrap_or_default()
                .replace("<span class=\"\">", "")
                .trim()
                .to_owned()
        })
        .collect();
    assert_eq!(codes.len(), 10, "{codes:?}");
    (secret, codes)
}

#[test]
fn a_user_lives_on_the_command_line_with_and_without_a_server() {
    let folder = temp_folder().expect("a folder");
    let data = folder.path().join("data").display().to_string();
    let refused = user(&data, &["create", "bob", "--role", "viewer"], PASSWORD);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("the first user must be an administrator"));
    let short = user(&data, &["create", "ada"], "short\n");
    assert!(short.status.code() == Some(2) && said(&short).contains("too short"), "{}", said(&short));
    let made = json(&user(&data, &["create", "Ada"], &format!("{PASSWORD}\n")));
    assert_eq!(
        (&made["name"], &made["role"], &made["second_factor"]),
        (&"ada".into(), &"administrator".into(), &"none".into())
    );
    assert!(!made.to_string().contains(PASSWORD));
    let taken = user(&data, &["create", "ada"], PASSWORD);
    assert!(
        taken.status.code() == Some(3) && said(&taken).contains("already a user `ada`"),
        "{}",
        said(&taken)
    );
    for last in [vec!["disable", "ada"], vec!["remove", "ada"], vec!["role", "ada", "viewer"]] {
        let refused = user(&data, &last, "");
        assert_eq!(refused.status.code(), Some(3), "{last:?}: {}", said(&refused));
        assert!(said(&refused).contains("the last administrator"), "{last:?}: {}", said(&refused));
    }
    let id = made["id"].as_str().expect("an id").to_owned();
    assert!(user(&data, &["create", "bob", "--role", "viewer"], PASSWORD).status.success());
    assert_eq!(json(&user(&data, &["role", "bob", "auditor"], ""))["role"], "auditor");
    assert_eq!(json(&user(&data, &["disable", "bob"], ""))["state"], "disabled");
    assert_eq!(json(&user(&data, &["enable", "bob"], ""))["state"], "enabled");
    assert_eq!(json(&user(&data, &["password", &id], "another long phrase"))["name"], "ada");
    assert_eq!(json(&user(&data, &["remove", "bob"], ""))["removed"], true);
    assert_eq!(json(&user(&data, &["list"], "")).as_array().map(Vec::len), Some(1));
    let tail = said(&bastide(&["audit", "tail", "--data", &data], &[]));
    for change in ["user.create", "user.role", "user.disable", "user.enable", "user.password", "user.remove"]
    {
        assert!(tail.contains(change), "{change}: {tail}");
    }
}

#[test]
fn somebody_who_is_locked_out_gets_back_in_from_the_machine() {
    let place = Place::new();
    let data = place.folder.path().display().to_string();
    let mut ada = place.newcomer();
    let (secret, codes) = enrol(&mut ada);
    assert!(!ada.get("/console/users").text().contains("no second factor"), "nothing is missing any more");

    let mut again = place.visitor();
    assert_eq!(again.sign_in("ada", PASSWORD).status, 401, "the password alone is not enough");
    let fields = |code: &str| {
        vec![("name", "ada".to_owned()), ("password", PASSWORD.to_owned()), ("code", code.to_owned())]
    };
    let mut sign_in = |code: &str| {
        let fields = fields(code);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        again.post_raw("/console/sign-in", &[], &fields).status
    };
    assert_eq!(sign_in(&totp(&secret, 0)), 401, "the code of the enrolment is used up");
    assert_eq!(sign_in(&totp(&secret, 1)), 303);
    assert_eq!(sign_in(&codes[3]), 303, "a recovery code will do");
    assert_eq!(sign_in(&codes[3]), 401, "once");
    assert!(ada.get("/console/account").text().contains("9 of 10 left"));

    // Device, codes and password are lost.
    let removed = user(&data, &["totp-remove", "ada"], "");
    assert_eq!(json(&removed)["second_factor"], "none", "{}", said(&removed));
    let new = "found again on the machine";
    assert!(user(&data, &["password", "ada"], new).status.success());
    assert_eq!(ada.get("/console/users").status, 303, "the sessions of before have ended");
    let mut back = place.visitor();
    assert_eq!(back.sign_in("ada", PASSWORD).status, 401);
    assert_eq!(back.sign_in("ada", new).status, 303);
    assert_eq!(back.get("/console/users").header("location"), Some("/console/account?first"));
}

#[test]
fn an_administrator_looks_after_others_and_never_locks_everybody_out() {
    let place = Place::new();
    let mut ada = place.administrator();
    let mut bob = place.somebody(&mut ada, "bob", "operator");
    let users = json(&place.command(&["user", "list", "--json"]));
    let id = |name: &str| {
        let found = users.as_array().expect("users").iter().find(|user| user["name"] == name);
        found.expect(name)["id"].as_str().expect("an id").to_owned()
    };
    let to = |name: &str, action: &str| format!("/console/users/{}/{action}", id(name));
    let page = ada.get("/console/users").text();
    for shown in ["bob", "operator", "put off", "New user", "Remove for good"] {
        assert!(page.contains(shown), "{shown}");
    }
    // One's own row offers nothing, and its addresses refuse.
    for action in ["disable", "remove", "role", "password", "sign-out"] {
        assert!(!page.contains(&to("ada", action)), "{action}");
        let answer = ada.post(&to("ada", action), &[("role", "viewer"), ("password", PASSWORD)]);
        assert_eq!(answer.status, 403, "{action}: {}", answer.text());
    }
    assert_eq!(ada.post(&to("bob", "sign-out"), &[]).status, 303);
    assert_eq!(bob.get("/console/keys").status, 303, "signed out everywhere");
    assert_eq!(ada.post(&to("bob", "role"), &[("role", "administrator")]).status, 303);
    assert!(ada.get("/console/users").text().contains("`bob` is administrator now") || ada.flash.is_none());
    bob.sign_in("bob", PASSWORD);
    // Two administrators: one takes the other away, and is the last.
    assert_eq!(bob.post(&to("ada", "role"), &[("role", "viewer")]).status, 303);
    assert_eq!(ada.get("/console/users").status, 403, "in force at once");
    let last = place.command(&["user", "disable", "bob"]);
    assert!(said(&last).contains("the last administrator"), "{}", said(&last));
    let bad = bob.post("/console/users", &[("name", "eve"), ("role", "viewer"), ("password", "short")]);
    assert_eq!(bad.status, 422);
    let text = bad.text();
    assert!(text.contains("too short") && text.contains("value=\"eve\""), "{text}");
    let taken = bob.post("/console/users", &[("name", "ada"), ("role", "viewer"), ("password", PASSWORD)]);
    assert!(taken.status == 422 && taken.text().contains("already a user"), "{}", taken.text());
    let gone = bob.post(&to("ada", "remove"), &[]);
    assert_eq!(gone.status, 303, "{}", gone.text());
    assert_eq!(ada.get("/console/account").status, 303);
}

#[test]
fn the_first_steps_lead_from_a_request_to_its_proof() {
    let place = Place::new();
    let mut ada = place.administrator();
    let page = ada.get("/console/guide").text();
    assert!(page.contains("Send the request") && page.contains(&format!("http://{}/v1", ada.to)), "{page}");
    let sent = ada.post("/console/guide/send", &[]).text();
    assert!(sent.contains("CREDIT_CARD in user") && sent.contains("tokenise"), "{sent}");
    let receipt = sent.split("name=\"receipt\" value=\"").nth(1).and_then(|r| r.split('"').next());
    let receipt = receipt.expect("a receipt").to_owned();
    let checked = ada.post("/console/guide/verify", &[("receipt", &receipt)]).text();
    assert!(checked.contains("The receipt holds"), "{checked}");
    let page = ada.get("/console/guide").text();
    assert!(
        page.contains("class=\"done\"><p class=\"step-title\">Verify its receipt"),
        "it is remembered: {page}"
    );
    let command = checked.split("bastide-verify receipt").nth(1).unwrap_or_default();
    assert!(command.contains(&receipt) && command.contains("default/node-1+"), "to be pasted: {checked}");
    let offline = place.command(&["audit", "verify", "--receipt", &receipt]);
    assert!(offline.status.success(), "{}", said(&offline));
    let exchange =
        sent.split("/console/exchanges/").nth(1).and_then(|r| r.split('"').next()).expect("an exchange");
    assert!(exchange.starts_with("exc_"), "{exchange}");
    for (client, says) in
        [("python", "from openai import OpenAI"), ("node", "new OpenAI"), ("langchain", "ChatOpenAI")]
    {
        assert!(ada.get(&format!("/console/guide?client={client}")).text().contains(says), "{client}");
    }
}

#[test]
fn settings_and_system_say_what_is_in_force_and_what_is_amiss() {
    let place = Place::with(&["--guard", "observe"]);
    let mut ada = place.administrator();
    let page = ada.get("/console/settings").text();
    assert!(
        page.contains("guard.mode") && page.contains("--guard") && page.contains("needs restart"),
        "{page}"
    );
    let found = ada.get("/console/settings?q=guard.mode&origin=flag").text();
    assert!(found.contains("guard.mode") && !found.contains("limits.connections"), "{found}");
    assert!(ada.get("/console/settings?q=zzz").text().contains("Nothing found"));
    let page = ada.get("/console/system").text();
    for shown in ["Up for", "recording", "records", "Reload the settings", "Audit log"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    let reloaded = ada.post("/console/system/reload", &[]);
    assert_eq!(reloaded.header("location"), Some("/console/system"));
    assert!(ada.get("/console/system").text().contains("nothing has changed"));
    let wrong = ada.post("/console/system/log-level", &[("filter", "=,=")]);
    assert_eq!(wrong.status, 422, "{}", wrong.text());
    assert!(wrong.text().contains("value=\"=,=\""), "what was typed is kept");
    assert_eq!(ada.post("/console/system/log-level", &[("filter", "debug")]).status, 303);
    assert!(said(&place.command(&["log-level"])).contains("debug"));
    let theme = ada.post("/console/theme", &[("theme", "dark")]);
    assert_eq!(theme.header("location"), Some("/console"));
    let cookie = theme.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("bastide_theme=dark; Path=/console") && cookie.contains("Max-Age=31536000"));
    let csrf = ada.csrf();
    for (referer, to) in [
        (format!("http://{}/console/settings?q=a", ada.to), "/console/settings?q=a"),
        ("https://evil.example/console/users".to_owned(), "/console"),
        (format!("http://{}/console/guide/send", ada.to), "/console"),
        (format!("http://{}//evil.example", ada.to), "/console"),
    ] {
        let headers = [("referer", referer.as_str())];
        let answer = ada.post_raw("/console/theme", &headers, &[("csrf", &csrf), ("theme", "light")]);
        assert_eq!(answer.header("location"), Some(to), "{referer}");
    }
}
