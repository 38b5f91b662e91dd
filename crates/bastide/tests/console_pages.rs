//! The console's pages of traffic, findings and the log, over real sockets and with hostile texts in every place.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bastide_testkit::{ChatReply, Choice, Pieces, Step, ToolCall};
use common::console::{printed, put_off_second_factor};
use common::{Answer, Rig, send};
use html5gum::{Token, Tokenizer};
use serde_json::{Value, json};

/// Whether a part of the number is there, with the space beside it: digests and ids may hold the same digits.
fn shows_card(page: &str) -> bool {
    page.contains(" 4111") || page.contains("4111 1")
}

const CARD: &str = "4111 1111 1111 1111";
/// What a page must show and must not become.
const HOSTILE: [&str; 5] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(2)>",
    "javascript:alert(3)",
    "</textarea></code></pre><svg onload=alert(4)>",
    "turned \u{202e}around\u{2066} and \u{1b}[31mred\u{200b}",
];
/// Uncompressed, with the style and the script.
const MOST_PAGE_BYTES: usize = 100_000;

/// Somebody signed in.
struct Person<'r> {
    rig: &'r Rig,
    cookie: String,
}

fn form(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    pairs.join("&")
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn cookie_of(answer: &Answer) -> String {
    let set = answer.headers.iter().filter(|(name, _)| name == "set-cookie");
    let session = set.map(|(_, value)| value).find(|value| value.contains("bastide_session="));
    let session = session.unwrap_or_else(|| panic!("no session: {} {}", answer.status, answer.text()));
    session.split(';').next().unwrap_or_default().to_owned()
}

/// The first administrator.
fn set_up(rig: &Rig) -> Person<'_> {
    let code = &*printed(&rig.server, "enter the code ");
    let password = "a long and good password";
    let body = form(&[
        ("setup_code", code),
        ("name", "admin@example.org"),
        ("password", password),
        ("repeated_password", password),
    ]);
    let answer = send(rig.address(), "POST", "/console/setup", &[FORM], body.as_bytes());
    let cookie = cookie_of(&answer);
    put_off_second_factor(rig.address(), &cookie);
    Person { rig, cookie }
}

impl Person<'_> {
    fn get(&self, path: &str) -> Answer {
        send(self.rig.address(), "GET", path, &[("cookie", &self.cookie)], b"")
    }

    /// A page that is there.
    fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    fn csrf(&self) -> String {
        let page = self.page("/console/log");
        let token = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        token.expect("a token").to_owned()
    }

    fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf();
        let all: Vec<(&str, &str)> =
            [("csrf", csrf.as_str())].into_iter().chain(fields.iter().copied()).collect();
        let headers = [FORM, ("cookie", self.cookie.as_str())];
        send(self.rig.address(), "POST", path, &headers, form(&all).as_bytes())
    }

    /// A stream of live rows.
    fn follow(&self, more: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.rig.address()).expect("connects");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        let head = format!(
            "GET /console/live/events HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\n{more}connection: close\r\n\r\n",
            self.rig.address(),
            self.cookie
        );
        stream.write_all(head.as_bytes()).expect("sent");
        BufReader::new(stream)
    }
}

/// Reads lines until one holds this.
fn read_until(stream: &mut impl std::io::BufRead, wanted: &str) -> String {
    let mut all = String::new();
    loop {
        let mut line = String::new();
        let read = stream.read_line(&mut line).unwrap_or_else(|e| panic!("{e}, no `{wanted}` in {all}"));
        all.push_str(&line);
        assert!(read > 0, "no `{wanted}` in {all}");
        if line.contains(wanted) {
            return all;
        }
    }
}

fn exchange_of(answer: &Answer) -> String {
    answer.header("bastide-exchange").unwrap_or_else(|| panic!("none: {}", answer.text())).to_owned()
}

fn ask(rig: &Rig, body: &Value) -> Answer {
    rig.chat(&body.to_string())
}

/// An exchange with a hostile text wherever a caller or a provider can put one.
fn hostile_exchange(rig: &Rig, text: &str) -> String {
    let arguments = json!({ "note": text, text: text }).to_string();
    let reply = ChatReply::of(vec![
        Choice::text(text),
        Choice { reasoning: Some(text.to_owned()), ..Choice::tools(vec![ToolCall::new(text, &arguments)]) },
    ]);
    rig.mock.answer_next(reply.whole());
    let body = json!({
        "model": text,
        "user": text,
        "x_unknown": { text: text },
        "messages": [
            {"role": "system", "content": text},
            {"role": "user", "name": text, "content": format!("{text} my card is {CARD}")},
            {"role": "assistant", "tool_calls": [
                {"id": text, "type": "function", "function": {"name": text, "arguments": arguments}}]},
            {"role": "tool", "tool_call_id": text, "content": text},
        ],
        "tools": [{"type": "function", "function": {"name": text, "description": text, "parameters": {"type": "object"}}}],
    });
    let bearer = format!("Bearer {}", rig.key);
    let headers = [("authorization", bearer.as_str()), ("user-agent", "<script>alert(9)</script>")];
    let answer = send(rig.address(), "POST", "/v1/chat/completions", &headers, body.to_string().as_bytes());
    exchange_of(&answer)
}

/// Nothing in the page runs but our script, and nothing leads away.
fn assert_tame(path: &str, page: &str) {
    const LINKS: [&[u8]; 6] = [b"href", b"src", b"action", b"formaction", b"data-preview", b"data-refresh"];
    let mut scripts = 0;
    for token in Tokenizer::new(page) {
        let Ok(Token::StartTag(tag)) = token else { continue };
        let name = String::from_utf8_lossy(&tag.name).into_owned();
        assert!(!["img", "iframe", "object", "embed", "base"].contains(&name.as_str()), "{path}: <{name}>");
        scripts += usize::from(name == "script");
        for (attribute, value) in &tag.attributes {
            let (key, value) = (String::from_utf8_lossy(attribute), String::from_utf8_lossy(value));
            assert!(!key.starts_with("on") && key != "style", "{path}: <{name} {key}={value}>");
            if LINKS.contains(&attribute.as_slice()) {
                assert!(
                    value.starts_with(['/', '?', '#']) && !value.starts_with("//"),
                    "{path}: {key}={value}"
                );
            }
            if name == "script" {
                assert!(key != "src" || value.starts_with("/console/assets/console."), "{path}: {value}");
            }
        }
    }
    assert!(scripts <= 1, "{path}: {scripts} scripts");
    for shown in ['\u{202e}', '\u{2066}', '\u{1b}'] {
        // Values of fields, tags and copies go back unchanged; a reader sees none.
        let text: String = Tokenizer::new(page)
            .filter_map(|t| match t {
                Ok(Token::String(text)) => Some(String::from_utf8_lossy(&text).into_owned()),
                _ => None,
            })
            .collect();
        assert!(!text.contains(shown), "{path}: {shown:?}");
    }
}

fn assets_weight(person: &Person<'_>, page: &str) -> usize {
    let files = page.split('"').filter(|part| part.starts_with("/console/assets/console."));
    let mut files: Vec<&str> = files.collect();
    files.sort_unstable();
    files.dedup();
    assert_eq!(files.len(), 2, "{files:?}");
    files.into_iter().map(|file| person.get(file).body.len()).sum()
}

#[test]
fn hostile_texts_stay_texts_and_masked_values_stay_masked() {
    let rig = Rig::enforcing();
    // Keys and people cannot have such names.
    let refused = rig.command(&["key", "create", "<script>alert(7)</script>"]);
    assert_eq!(refused.status.code(), Some(2));
    let person = set_up(&rig);
    let exchanges: Vec<String> = HOSTILE.iter().map(|text| hostile_exchange(&rig, text)).collect();
    let last = rig.entries().len() - 1;
    let mut pages: Vec<String> = [
        "/console",
        "/console?span=1h",
        "/console?span=30d",
        "/console/live",
        "/console/exchanges",
        "/console/exchanges?only=findings&verdict=tokenise",
        "/console/exchanges?model=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "/console/exchanges?verdict=%3Cscript%3E",
        "/console/findings",
        "/console/findings?category=CREDIT_CARD",
        "/console/log",
        "/console/log?text=%3Cscript%3Ealert(1)%3C/script%3E",
        "/console/log?kind=request",
    ]
    .map(str::to_owned)
    .into();
    for exchange in &exchanges {
        pages.push(format!("/console/exchanges/{exchange}"));
        pages.push(format!("/console/exchanges/{exchange}?view=raw&all=yes"));
    }
    pages.extend((0..=last).map(|index| format!("/console/log/{index}")));
    let mut shown = 0;
    for path in &pages {
        let answer = person.get(path);
        assert!([200, 400].contains(&answer.status), "{path}: {} {}", answer.status, answer.text());
        let page = answer.text();
        assert_tame(path, &page);
        assert!(!shows_card(&page), "{path} shows a value: {page}");
        shown += usize::from(page.contains("&#60;script&#62;alert(1)&#60;/script&#62;"));
    }
    assert!(shown > 5, "the texts are shown: on {shown} pages");
    let page = person.page(&format!("/console/exchanges/{}", exchanges[0]));
    assert!(
        page.contains("CREDIT_CARD") && page.contains("as it came") && page.contains("matches"),
        "{page}"
    );
}

#[test]
fn values_are_shown_to_those_who_may_on_record() {
    let rig = Rig::enforcing();
    let person = set_up(&rig);
    let body =
        json!({"model":"mock-echo","messages":[{"role":"user","content":format!("my card is {CARD}")}]});
    let exchange = exchange_of(&ask(&rig, &body));
    let path = format!("/console/exchanges/{exchange}");
    assert!(!shows_card(&person.page(&path)));
    let shown = person.page(&path);
    assert!(shown.contains("check digit") || shown.contains("<th scope=\"col\">Why</th>"), "{shown}");
    assert!(shown.contains("personal_data, from 0.50 (default)"), "the rule that decided: {shown}");
    let too_long = person.post(&format!("{path}/reveal"), &[("reason", &"x".repeat(300))]);
    assert_eq!(too_long.status, 422, "{}", too_long.text());
    let answer = person.post(&format!("{path}/reveal"), &[("reason", "ticket 4711")]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_tame(&path, &answer.text());
    assert!(answer.text().contains(CARD), "{}", answer.text());
    let entries = rig.entries();
    let look = entries.iter().position(|e| e["kind"] == "revealed").expect("recorded");
    assert!(answer.text().contains(&format!("/console/log/{look}")), "the page names the entry");
    assert_eq!(entries[look]["reason"], "ticket 4711");
    let entry = person.page(&format!("/console/log/{look}"));
    assert!(entry.contains(&exchange) && entry.contains("because: ticket 4711"), "{entry}");
    // Whoever did it is found by the name that is shown, which the log does not have.
    let found = person.page("/console/log?kind=revealed&text=ADMIN%40example");
    assert!(found.contains("because: ticket 4711"), "{found}");
    let requests = person.page("/console/log?kind=request&text=test");
    assert!(requests.contains("asked for"), "a key's exchanges, by its name: {requests}");
    assert!(person.page("/console/log?text=nobody-of-this-name").contains("None like that"));
    // The page as everybody may see it has its masks again.
    assert!(!shows_card(&person.page(&path)));
}

#[test]
fn what_is_not_there_is_not_found_and_what_cannot_be_meant_is_said_so() {
    let rig = Rig::enforcing();
    let person = set_up(&rig);
    let fresh = person.page("/console");
    assert!(fresh.contains("Nothing has passed yet") && fresh.contains("/console/guide"), "{fresh}");
    for path in [
        "/console/exchanges/nonsense",
        "/console/exchanges/exc_01jbqd9pa5f0k8c4nh6r3x2v7t",
        "/console/log/99999999",
        "/console/log/x",
    ] {
        assert_eq!(person.get(path).status, 404, "{path}");
    }
    for path in ["/console/exchanges?before=x", "/console/findings?category=x", "/console/exchanges?id=x"] {
        assert_eq!(person.get(path).status, 400, "{path}");
    }
    let body = json!({"model":"mock","messages":[{"role":"user","content":"hello"}]});
    let answer = ask(&rig, &body);
    let exchange = exchange_of(&answer);
    let found = person.get(&format!("/console/exchanges?id={exchange}"));
    let to = format!("/console/exchanges/{exchange}");
    assert_eq!((found.status, found.header("location")), (303, Some(to.as_str())));
    let receipt = answer.header("bastide-receipt").expect("a receipt");
    let holds = person.post("/console/log/receipt", &[("receipt", receipt)]);
    assert_eq!(holds.status, 200);
    assert!(holds.text().contains("The receipt holds"), "{}", holds.text());
    let none = person.post("/console/log/receipt", &[("receipt", "<script>")]);
    assert_eq!(none.status, 422);
    assert!(none.text().contains("That is no receipt"));
    assert_tame("/console/log/receipt", &none.text());
    let fragment = send(
        rig.address(),
        "GET",
        "/console?span=1h",
        &[("cookie", &person.cookie), ("x-fragment", "1")],
        b"",
    );
    assert!(
        fragment.text().contains("<div class=\"tiles\">") && !fragment.text().contains("<html"),
        "{}",
        fragment.text()
    );
    assert!(fragment.header("server-timing").is_some_and(|t| t.starts_with("app;dur=")));
}

#[test]
fn refused_observed_and_erased_exchanges_say_what_they_are() {
    let rig = Rig::with_guard("observe");
    let person = set_up(&rig);
    let body =
        json!({"model":"mock-echo","messages":[{"role":"user","content":format!("my card is {CARD}")}]});
    let exchange = exchange_of(&ask(&rig, &body));
    let path = format!("/console/exchanges/{exchange}");
    let page = person.page(&path);
    assert!(page.contains("would tokenise") && page.contains("would be replaced by a token"), "{page}");
    assert!(!shows_card(&page), "masks are of the view, not of the guard");
    assert!(rig.command(&["audit", "erase", "test", "--yes"]).status.success());
    let page = person.page(&path);
    assert!(page.contains("This subject was erased"), "{page}");
    assert_tame(&path, &page);
}

#[test]
fn the_stream_tells_of_an_exchange_and_ends_with_its_viewer() {
    let rig = Rig::enforcing();
    let person = set_up(&rig);
    let mut stream = person.follow("");
    let head = read_until(&mut stream, ": follows the log");
    assert!(head.contains("200 OK") && head.contains("text/event-stream"), "{head}");
    let body = json!({"model":"mock-echo","messages":[{"role":"user","content":"hello"}]});
    let exchange = exchange_of(&ask(&rig, &body));
    let told = read_until(&mut stream, &exchange);
    assert!(told.contains("data: <tr class="), "{told}");
    if !told.contains(">200<") {
        // Its end comes in an event of its own and takes the row's place.
        assert!(read_until(&mut stream, ">200<").contains(&exchange));
    }
    let told = read_until(&mut stream, "id: ");
    let id = told.lines().last().and_then(|line| line.strip_prefix("id: ")).expect("an id").to_owned();
    // Whoever comes back goes on where they were.
    let mut again = person.follow(&format!("last-event-id: {id}\r\n"));
    read_until(&mut again, ": follows the log");
    let second = exchange_of(&ask(&rig, &body));
    let told = read_until(&mut again, &second);
    assert!(!told.contains(&exchange), "{told}");
    // Signed out: both end by themselves.
    assert_eq!(person.post("/console/sign-out", &[]).status, 303);
    let begun = Instant::now();
    for stream in [&mut stream, &mut again] {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("ends in order");
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(person.get("/console/live/events").status, 303, "and nobody is let in again");
}

#[test]
fn one_person_holds_so_many_streams_and_no_more() {
    let rig = Rig::enforcing();
    let person = set_up(&rig);
    let streams: Vec<BufReader<TcpStream>> = (0..8)
        .map(|_| {
            let mut stream = person.follow("");
            read_until(&mut stream, ": follows the log");
            stream
        })
        .collect();
    let refused = person.get("/console/live/events");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("30")));
    drop(streams);
    common::wait_until("a place is free again", Duration::from_secs(10), || {
        let mut stream = person.follow("");
        let mut line = String::new();
        stream.read_line(&mut line).is_ok() && line.contains("200")
    });
}

#[test]
fn pages_stay_light_under_load() {
    let rig = Rig::enforcing();
    let person = set_up(&rig);
    let long = "Lorem ipsum dolor sit amet. ".repeat(2_000);
    let mut last = String::new();
    for n in 0..120 {
        let text =
            format!("card {CARD}, mail anna{n}@example.org, +49 30 90182{n:04} and {}", &long[..n * 20]);
        let body = json!({"model":format!("mock-echo-{}", "m".repeat(n)),"messages":[{"role":"user","content":text}]});
        last = exchange_of(&ask(&rig, &body));
    }
    let body = json!({"model":"mock-echo","messages":[{"role":"user","content":long}, {"role":"user","content":long}]});
    let large = exchange_of(&ask(&rig, &body));
    let assets = assets_weight(&person, &person.page("/console"));
    let pages = [
        "/console?span=1h".to_owned(),
        "/console?span=24h".to_owned(),
        "/console/live".to_owned(),
        "/console/exchanges".to_owned(),
        "/console/findings?span=1h".to_owned(),
        "/console/log".to_owned(),
        "/console/log/7".to_owned(),
        format!("/console/exchanges/{last}"),
        format!("/console/exchanges/{large}"),
        format!("/console/exchanges/{large}?view=raw"),
    ];
    for path in pages {
        let page = person.page(&path);
        let weight = page.len() + assets;
        println!("{path}: {} bytes, {weight} with style and script", page.len());
        assert!(weight <= MOST_PAGE_BYTES, "{path}: {weight} bytes, of which {} markup", page.len());
    }
    let all = person.page(&format!("/console/exchanges/{large}?all=yes"));
    assert!(all.len() > 2 * long.len(), "all of it can be read");
}

#[test]
fn a_subject_is_erased_from_the_page_of_its_key_and_the_log_verifies_yet() {
    let rig = Rig::enforcing();
    let person = set_up(&rig);
    let chat = rig.chat(
        &json!({"model":"mock","messages":[{"role":"user","content":"the weather in Cordes"}]}).to_string(),
    );
    let exchange = chat.header("bastide-exchange").expect("an exchange").to_owned();
    let (page, receipt) = (format!("/console/exchanges/{exchange}"), chat.header("bastide-receipt"));
    wait_for(&person, &page, "the weather in Cordes");
    let keys = rig.command(&["key", "list", "--json"]);
    let keys: Value = serde_json::from_slice(&keys.stdout).expect("JSON");
    let key = format!("/console/keys/{}", keys[0]["id"].as_str().expect("a key"));
    let form = person.page(&key);
    assert!(
        form.contains(&format!("action=\"{key}/erase\"")) && form.contains("cannot be taken back"),
        "{form}"
    );

    // Whoever cannot prove who they are erases nothing.
    let wrong = person.post(&format!("{key}/erase"), &[("confirm_password", "not this one")]);
    assert_eq!(wrong.status, 403);
    assert!(wrong.text().contains("Confirm who you are"));
    assert!(person.page(&page).contains("the weather in Cordes"));
    let right = person.post(&format!("{key}/erase"), &[("confirm_password", "a long and good password")]);
    assert_eq!(right.status, 303, "{}", right.text());

    let person = Person { rig: &rig, cookie: cookie_of(&right) };
    let erased = person.page(&page);
    assert!(erased.contains("This subject was erased") && !erased.contains("Cordes"), "{erased}");
    let shown = rig.command(&["audit", "show", &exchange, "--json", "--reveal"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let bodies = shown["bodies"].as_array().expect("bodies");
    assert!(!bodies.is_empty() && bodies.iter().all(|b| b["text"].is_null()), "{shown}");
    let entries = rig.entries();
    let phases: Vec<&str> = entries
        .iter()
        .filter(|e| e["action"] == "subject.erase")
        .filter_map(|e| e["phase"].as_str())
        .collect();
    assert_eq!(phases, ["intent", "done"]);
    assert!(entries.iter().any(|e| e["action"] == "subject.erase" && e["actor"]["type"] == "user"));
    let checked = person.post("/console/log/receipt", &[("receipt", receipt.expect("a receipt"))]);
    assert!(checked.text().contains("The receipt holds"), "{}", checked.text());
    let verified = rig.command(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

#[test]
fn the_page_of_an_exchange_says_what_is_damaged_and_shows_the_rest() {
    let rig = Rig::enforcing();
    let person = set_up(&rig);
    let chat = rig.chat(
        &json!({"model":"mock","messages":[{"role":"user","content":"the weather in Cordes"}]}).to_string(),
    );
    let page = format!("/console/exchanges/{}", chat.header("bastide-exchange").expect("an exchange"));
    wait_for(&person, &page, "the weather in Cordes");
    let mut damaged = 0;
    for file in std::fs::read_dir(rig.folder.path().join("bodies")).expect("bodies").map_while(Result::ok) {
        let mut bytes = std::fs::read(file.path()).expect("readable");
        // The last byte that was written is of the last body's seal.
        let Some(last) = bytes.iter().rposition(|byte| *byte != 0) else { continue };
        bytes[last] ^= 0x55;
        std::fs::write(file.path(), bytes).expect("written");
        damaged += 1;
    }
    assert!(damaged > 0, "there is a file to damage");
    let shown = person.page(&page);
    assert!(shown.contains("What is kept is not what the log says"), "{shown}");
    assert!(shown.contains(">damaged<") && shown.contains("the weather in Cordes"), "{shown}");
    assert!(shown.contains("bastide audit show"), "how to check it stands there all the same");
}

#[test]
fn the_page_of_an_exchange_that_runs_says_so() {
    let rig = Rig::enforcing();
    let person = set_up(&rig);
    let silent = ChatReply::text("one two three").stream(&Pieces::Chars(4), false).cut(3, Step::Hang);
    rig.mock.answer("silent", silent);
    let mut stream = rig.stream(&rig.key, "silent");
    stream.read_exact(&mut [0; 16]).expect("it has begun");
    let of_it = |kind: &str| rig.entries().into_iter().find(|e| e["kind"] == kind && e["model"] == "silent");
    let begun = of_it("request").expect("its request is recorded before a byte leaves");
    let page = format!("/console/exchanges/{}", begun["exchange"].as_str().expect("an id"));
    let running = person.page(&page);
    assert!(running.contains("No end yet") && running.contains("silent"), "{running}");
    assert!(person.page("/console/exchanges").contains(begun["exchange"].as_str().expect("an id")));
    drop(stream);
    wait_for(&person, &page, "caller left");
    assert!(!person.page(&page).contains("No end yet"));
}

#[test]
fn a_stream_of_rows_is_kept_alive_and_one_person_holds_a_few() {
    let rig = Rig::enforcing();
    let person = set_up(&rig);
    let mut streams: Vec<_> = (0..8).map(|_| person.follow("")).collect();
    streams.iter_mut().for_each(|stream| drop(read_until(stream, "follows the log")));
    assert_eq!(person.get("/console/live/events").status, 503, "one more than a person may have");
    let begun = Instant::now();
    let said = read_until(&mut streams[0], ": still here");
    assert!(begun.elapsed() > Duration::from_secs(10), "{said}");
    streams.pop();
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let mut again = person.follow("");
        let mut line = String::new();
        again.read_line(&mut line).expect("answers");
        if line.contains("200") {
            break;
        }
        assert!(Instant::now() < until, "no room after one has ended: {line}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn one_row_says_intent_and_outcome_of_a_change() {
    let rig = Rig::enforcing();
    let person = set_up(&rig);
    let entries = rig.entries();
    let made = |phase: &str| {
        let found = entries.iter().position(|e| e["action"] == "key.create" && e["phase"] == phase);
        found.expect("a key was made")
    };
    let (intent, done) = (made("intent"), made("done"));
    let list = person.page("/console/log");
    assert!(list.contains(&format!(">{intent}, {done}<")), "{list}");
    assert!(!list.contains(&format!("href=\"/console/log/{intent}\"")), "the intent has no row of its own");
    assert!(
        person.page(&format!("/console/log/{intent}")).contains("is about to make the key"),
        "but a page"
    );
}

/// Waits until a page has one of these texts, with bars between: bodies and outcomes are written beside the answer.
fn wait_for(person: &Person<'_>, page: &str, texts: &str) {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let shown = person.page(page);
        if texts.split('|').any(|text| shown.contains(text)) {
            return;
        }
        assert!(Instant::now() < until, "none of `{texts}` in {shown}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
