//! Every part in its states, on one page: for whoever builds pages, and for the tests that look at it.

mod charts;
mod data;
mod forms;
mod text;

use std::time::Duration;

use bastide_types::{Severity, Timestamp, Verdict};

use crate::design::{
    Badge, Bare, Button, Callout, Card, Chip, Columns, Context, Csrf, Dialog, Disclosure, Empty, Field,
    Flash, Form, Href, Html, Icon, Id, LineUp, Link, Moment, Nav, NavEntry, PostButton, Progress, Section,
    Shell, Step, Steps, Tabs, Theme, Timeline, Tone, When,
};

/// When the gallery plays: 2026-09-21 14:13:20 UTC.
const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
/// Text that is long, text that runs the other way, and text that hides something.
const LONG: &str =
    "an-application-with-a-name-that-somebody-generated-and-nobody-ever-read-to-its-end-0123456789abcdef";
const UNICODE: &str = "שלום עולם — مرحبا بالعالم — 你好，世界 👩‍🚀";
const HIDDEN: &str = "invoice\u{202e}fdp.exe\u{200b}\u{1b}[31m";

fn ago(seconds: u64) -> When {
    When::new(Timestamp::from_micros(NOW.as_micros() - seconds * 1_000_000), NOW)
}

/// A context with every page, for the gallery and for tests of pages.
#[must_use]
pub fn example_context(theme: Theme) -> Context {
    let page = |icon, name: &str, path, key| NavEntry::new(icon, name, Href::page(path)).key(key);
    let nav = Nav::new()
        .group(
            "Watch",
            [
                page(Icon::Overview, "Overview", "/console/", 'o'),
                page(Icon::Live, "Live", "/console/live", 'l'),
                page(Icon::Exchanges, "Exchanges", "/console/exchanges", 'e'),
                page(Icon::Findings, "Findings", "/console/findings", 'f').count("12"),
            ],
        )
        .group(
            "Control",
            [
                page(Icon::Keys, "Keys", "/console/keys", 'k'),
                page(Icon::Models, "Models & providers", "/console/models", 'm'),
                page(Icon::Policies, "Policies", "/console/policies", 'p'),
                page(Icon::Guard, "Guard", "/console/guard", 'u'),
            ],
        )
        .group("Prove", [page(Icon::Log, "Log", "/console/log", 'a')])
        .group("Try", [page(Icon::Playground, "Playground", "/console/playground", 't')])
        .group(
            "Administer",
            [
                page(Icon::Users, "Users", "/console/users", 'i'),
                page(Icon::Settings, "Settings", "/console/settings", 's'),
                page(Icon::System, "System", "/console/system", 'y'),
            ],
        );
    Context {
        nav,
        user: "Ada Lovelace".into(),
        user_note: "administrator".into(),
        theme,
        csrf: Csrf::new("example"),
        project: Some("payments".into()),
        health: Some((Badge::new(Tone::Allow, "healthy"), Href::page("/console/system"))),
        notices: Vec::new(),
        flashes: Vec::new(),
        version: "0.1.0".into(),
    }
}

/// A page with every part in every state.
#[must_use]
pub fn gallery(theme: Theme) -> String {
    let mut context = example_context(theme);
    context.flashes = vec![
        Flash::done("Key `billing-prod` made. It is shown once, below."),
        Flash::failed("The policy was not saved: line 4 names `Team::\"finance\"`, which does not exist"),
    ];
    let tabs = Tabs::new("Views of the gallery", 0)
        .tab("Everything", Href::page("/console/"))
        .counted("Findings", Href::page("/console/findings"), "12")
        .tab("Settings", Href::page("/console/settings"));
    Shell::new("Overview", &Href::page("/console/"), &context)
        .lead("Every part of the console in each of its states. The figures are made up.")
        .crumb("Watch", None)
        .action(Link::button(Href::page("/console/keys"), "All keys"))
        .action(Link::button(Href::page("/console/keys/new"), "New key").primary().icon(Icon::Plus))
        .tabs(tabs)
        .body(charts::overview())
        .body(data::section())
        .body(text::section())
        .body(words())
        .body(notices(&context.csrf))
        .body(forms::section(&context.csrf))
        .body(order())
        .body(charts::states())
        .render()
}

/// The page of someone who is not signed in yet.
#[must_use]
pub fn sign_in_example(theme: Theme) -> String {
    let form = Form::post(Href::page("/console/sign-in"), &Csrf::new("example"))
        .field(Field::text("user", "User").autocomplete("username").required())
        .field(
            Field::password("password", "Password", "current-password")
                .required()
                .error("user or password is wrong; after three more tries the account waits for 15 min"),
        )
        .button(Button::new("Sign in").primary());
    Bare::new("Sign in", theme, "0.1.0").lead("The console of this gateway.").body(form).render()
}

fn words() -> Html {
    let verdicts = Verdict::ALL.iter().map(|verdict| Badge::from(*verdict));
    let severities = [Severity::Low, Severity::Medium, Severity::High, Severity::Critical].map(Badge::from);
    let status =
        [Badge::new(Tone::Allow, "active"), Badge::new(Tone::Neutral, "expired"), Badge::busy("rotating")];
    let chips = Verdict::ALL.iter().map(|verdict| Chip::new((*verdict).into(), "‹EMAIL_ADDRESS_1›"));
    let facts = crate::design::Facts::new()
        .fact("Verdicts", spaced(verdicts))
        .fact("Severities", spaced(severities))
        .fact("Status", spaced(status))
        .fact("Chips", spaced(chips))
        .fact("Id", Id::new("exch_01j8w3q5t9k2m4n6p8r0s1t3v5"))
        .fact("Time", ago(312))
        .fact("Long", LONG)
        .fact("Both directions", UNICODE)
        .fact("Hidden characters", HIDDEN)
        .fact("Nothing", Html::new());
    Section::new("Words").body(Card::new("Badges, chips, facts").body(facts)).into()
}

fn notices(csrf: &Csrf) -> Html {
    let callouts = [
        Callout::new(Tone::Accent, "The guard observes only")
            .body("It records what it would do and changes nothing. Switch to enforce when the findings look right."),
        Callout::new(Tone::Flag, "Two keys expire within a week"),
        Callout::new(Tone::Block, "The log cannot be written").body("Requests are refused until the disk has room."),
        Callout::new(Tone::Allow, "The log verifies up to entry 1,204,551"),
    ];
    let revoke = Form::post(Href::page("/console/keys/revoke"), csrf)
        .field(Html::from("Requests with this key fail from now on."))
        .button(Button::new("Revoke key").danger())
        .link(Link::button(Href::page("/console/keys"), "Cancel"));
    let buttons = spaced([
        Html::from(Button::new("Save policy").primary()),
        Button::new("Try it").into(),
        Button::new("Clear").quiet().into(),
        Button::new("Filter").icon(Icon::Search).into(),
        Button::new("Saving").primary().busy().into(),
        Button::new("Save").disabled().into(),
        Button::new("Edit").small().into(),
        PostButton::new(
            Href::page("/console/x"),
            csrf,
            Button::new("Delete").danger().confirm("Delete this draft?"),
        )
        .into(),
        Dialog::new("Revoke…", "Revoke `billing-prod`?", revoke).danger().into(),
        parsed_link("https://docs.example/policies", "How policies work"),
    ]);
    let empty =
        Empty::new("No exchanges yet", "They appear here as soon as an application uses one of your keys.")
            .link(Link::button(Href::page("/console/keys/new"), "New key").primary());
    Section::new("Notices and buttons")
        .body(Columns::new([
            Html::join(callouts),
            Card::new("Buttons")
                .body(buttons)
                .body(Disclosure::new("More of the same", "It was behind a line."))
                .into(),
        ]))
        .body(empty)
        .into()
}

fn order() -> Html {
    let moments = [
        Moment::new(ago(20), Tone::Block, "Refused: `forbid` in policy `no-secrets`")
            .body("2 findings, both SECRET"),
        Moment::new(ago(95), Tone::Tokenise, "Replaced 3 values in the request")
            .body(Chip::new(Tone::Tokenise, "‹IBAN_CODE_2›")),
        Moment::new(ago(4000), Tone::Neutral, LONG),
        Moment::new(ago(90_000), Tone::Allow, UNICODE),
    ];
    let steps = Steps::new()
        .step(Step::Done, "Make an administrator", Html::new())
        .step(
            Step::Now,
            "Connect a provider",
            Html::from("Give the address and a credential; it is sealed before it is stored."),
        )
        .step(Step::Later, "Make a first key", Html::new());
    let progress = Html::join([
        Progress::budget("Budget of this month", 42, "$1,260 of $3,000"),
        Progress::budget("Requests today", 91, "9,100 of 10,000"),
        Progress::budget("Tokens today", 100, "2.0M of 2.0M"),
        Progress::job("Verifying the log", Some(64), "entry 771,000 of 1,204,551"),
        Progress::job("Indexing", None, "counting"),
    ]);
    let waterfall = [
        ("authenticate", Tone::Neutral, 0, 90),
        ("decide invoke", Tone::Neutral, 90, 140),
        ("inspect request", Tone::Accent, 230, 1900),
        ("record", Tone::Redact, 2130, 2400),
        ("provider", Tone::Tokenise, 4530, 42_000),
        ("inspect answer", Tone::Accent, 9000, 37_000),
    ]
    .into_iter()
    .fold(crate::design::Waterfall::new("Where the time went"), |all, (name, tone, from, takes)| {
        all.bar(name, tone, Duration::from_micros(from), Duration::from_micros(takes))
    });
    Section::new("Order in time")
        .body(Columns::new([
            Card::new("Timeline").body(Timeline::new(moments)).into(),
            Html::join([Card::new("Setup").body(steps), Card::new("Progress").body(progress)]),
        ]))
        .body(Card::new("Where the time went").end(Badge::from(Verdict::Allow)).body(waterfall))
        .into()
}

fn spaced(parts: impl IntoIterator<Item = impl Into<Html>>) -> Html {
    LineUp::new(parts.into_iter().map(Into::into)).into()
}

fn parsed_link(address: &str, label: &str) -> Html {
    Href::parse(address).map(|href| Link::new(href, label).into()).unwrap_or_default()
}
