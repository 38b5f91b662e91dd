//! A visitor of the console: forms, cookies, one-time codes.

use std::net::SocketAddr;
use std::time::Duration;

use bastide_testkit::{BastideProcess, temp_folder};

use super::{Answer, send};

/// The password of everybody here.
pub const PASSWORD: &str = "correct horse battery staple";

/// A server without a provider, whose console is not set up yet.
pub struct Place {
    pub server: BastideProcess,
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Place {
        Place::with(&[])
    }

    pub fn with(arguments: &[&str]) -> Place {
        let folder = temp_folder().expect("a folder");
        let mut builder = BastideProcess::on(folder.path());
        for argument in arguments {
            builder = builder.argument(argument);
        }
        Place { server: builder.start().expect("the server starts"), folder }
    }

    /// The code that stands in the output of the start.
    pub fn setup_code(&self) -> String {
        printed(&self.server, "enter the code ")
    }

    /// The first administrator, signed in, with the second factor put off.
    pub fn administrator(&self) -> Visitor {
        let mut visitor = self.newcomer();
        let later = visitor.post("/console/account/totp/defer", &[]);
        assert_eq!(later.header("location"), Some("/console/guide"), "{later:?}");
        visitor
    }

    /// The first administrator, as the setup leaves them.
    pub fn newcomer(&self) -> Visitor {
        let mut visitor = self.visitor();
        let code = self.setup_code();
        let fields = [
            ("setup_code", &*code),
            ("name", "ada"),
            ("password", PASSWORD),
            ("repeated_password", PASSWORD),
        ];
        let made = visitor.post("/console/setup", &fields);
        assert_eq!(made.header("location"), Some("/console/account?first"), "{}", made.text());
        visitor
    }

    /// Somebody with a role, added by the administrator, signed in, with the second factor put off.
    pub fn somebody(&self, administrator: &mut Visitor, name: &str, role: &str) -> Visitor {
        let made =
            administrator.post("/console/users", &[("name", name), ("role", role), ("password", PASSWORD)]);
        assert_eq!(made.status, 303, "{}", made.text());
        let mut visitor = self.visitor();
        let signed_in = visitor.sign_in(name, PASSWORD);
        assert_eq!(signed_in.status, 303, "{}", signed_in.text());
        visitor.post("/console/account/totp/defer", &[]);
        visitor
    }

    pub fn visitor(&self) -> Visitor {
        Visitor { to: self.server.address(), session: None, flash: None, verified: None }
    }

    /// Another command on the same data folder.
    pub fn command(&self, arguments: &[&str]) -> std::process::Output {
        let data = self.folder.path().to_string_lossy().into_owned();
        let all: Vec<&str> = arguments.iter().copied().chain(["--data", &data]).collect();
        self.server.run(&all).expect("the binary runs")
    }

    /// The log's entries.
    pub fn entries(&self) -> Vec<serde_json::Value> {
        let output = self.command(&["audit", "tail", "-n", "100000", "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().filter_map(|l| serde_json::from_str(l).ok()).collect()
    }
}

/// A browser, as far as a server sees one.
#[derive(Clone)]
pub struct Visitor {
    pub to: SocketAddr,
    pub session: Option<String>,
    pub flash: Option<String>,
    pub verified: Option<String>,
}

impl Visitor {
    fn cookies(&self) -> String {
        let session = self.session.iter().map(|token| format!("bastide_session={token}"));
        let flash = self.flash.iter().map(|said| format!("bastide_flash={said}"));
        let verified = self.verified.iter().map(|said| format!("bastide_verified={said}"));
        session.chain(flash).chain(verified).collect::<Vec<_>>().join("; ")
    }

    fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let cookies = self.cookies();
        let mut all: Vec<(&str, &str)> = headers.to_vec();
        if !cookies.is_empty() {
            all.push(("cookie", &cookies));
        }
        let answer = send(self.to, method, path, &all, body.as_bytes());
        for (_, cookie) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, rest) = cookie.split_once('=').expect("a cookie");
            let value = rest.split(';').next().unwrap_or_default().to_owned();
            let kept = Some(value).filter(|value| !value.is_empty());
            match name {
                "bastide_session" => self.session = kept,
                "bastide_flash" => self.flash = kept,
                "bastide_verified" => self.verified = kept,
                _ => {}
            }
        }
        answer
    }

    pub fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    /// The token that the forms of this session carry.
    pub fn csrf(&mut self) -> String {
        let page = self.get("/console/account").text();
        let found = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        found.unwrap_or_default().to_owned()
    }

    /// A form as a page of this session would send it.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = if self.session.is_some() { self.csrf() } else { String::new() };
        let mut all = vec![("csrf", &*csrf)];
        all.extend(fields);
        self.post_raw(path, &[], &all)
    }

    /// A form as it is given, with further headers.
    pub fn post_raw(&mut self, path: &str, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend(headers);
        self.ask("POST", path, &all, &encoded(fields))
    }

    pub fn sign_in(&mut self, name: &str, password: &str) -> Answer {
        self.post_raw("/console/sign-in", &[], &[("name", name), ("password", password)])
    }
}

/// Fields as a browser encodes them.
pub fn encoded(fields: &[(&str, &str)]) -> String {
    let escape = |text: &str| {
        text.bytes().fold(String::new(), |mut out, byte| {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(byte)),
                _ => out.push_str(&format!("%{byte:02X}")),
            }
            out
        })
    };
    let pairs: Vec<String> = fields.iter().map(|(n, v)| format!("{}={}", escape(n), escape(v))).collect();
    pairs.join("&")
}

/// Puts the second factor off for whoever this cookie signs in; the token that their forms carry.
pub fn put_off_second_factor(to: SocketAddr, cookie: &str) -> String {
    let page = send(to, "GET", "/console/account", &[("cookie", cookie)], b"").text();
    let token = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let token = token.unwrap_or_else(|| panic!("no form in {page}")).to_owned();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let headers = [("cookie", cookie), form];
    send(to, "POST", "/console/account/totp/defer", &headers, encoded(&[("csrf", &token)]).as_bytes());
    token
}

/// The word that a server prints behind `marker`. It may be ready before its output is read.
pub fn printed(server: &BastideProcess, marker: &str) -> String {
    super::wait_until(marker, Duration::from_secs(10), || server.output().contains(marker));
    let output = server.output();
    let (_, rest) = output.split_once(marker).expect("it is there");
    rest.split([' ', '\'', '\n']).next().unwrap_or_default().to_owned()
}
