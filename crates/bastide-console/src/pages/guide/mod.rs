//! First steps: from a request to its proof, and on to an application of one's own.

mod snippets;

use bastide_admin::{DemoExchange, ExchangeFilter, ExchangeRow, ReceiptShown, could_not};
use bastide_types::Permission;

use crate::design::{
    Badge, Button, Callout, Code, Form, Hidden, Href, Html, Language, LineUp, Link, Paragraph, PostButton,
    Step, Steps, Text, Tone, prose,
};
use crate::web::{Refusal, Reply, Visit};

/// Exchanges among which the newest is looked for.
const NEWEST: usize = 10;

/// What this answer has to show besides the facts.
#[derive(Default)]
struct Shown {
    sent: Option<DemoExchange>,
    receipt: String,
    checked: Option<ReceiptShown>,
}

/// What is done already.
struct Facts {
    newest: Option<ExchangeRow>,
    providers: usize,
    keys: usize,
}

pub(super) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    page(visit, Shown::default()).await
}

pub(super) async fn send(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let sent = visit.admin().demo_exchange().await?;
    let receipt = sent.receipt.clone();
    page(visit, Shown { sent: Some(sent), receipt, checked: None }).await
}

pub(super) async fn verify(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let receipt = visit.form.text("receipt").to_owned();
    let checked = visit.admin().check_receipt(&receipt).await?;
    page(visit, Shown { sent: None, receipt, checked: Some(checked) }).await
}

async fn page(visit: &Visit<'_>, shown: Shown) -> Result<Reply, Refusal> {
    let facts = facts(visit, &shown).await?;
    let seen = facts.newest.is_some();
    let held = shown.checked.as_ref().is_some_and(|checked| checked.holds);
    let mut steps = Progress::default();
    let steps = Steps::new()
        .open()
        .step(steps.next(seen), "Send a first request", sending(visit, &shown))
        .step(steps.next(seen), "See what happened to it", seeing(&facts))
        .step(steps.next(held), "Verify its receipt", proving(visit, &shown))
        .step(steps.next(facts.providers > 0), "Add a provider", providing(visit, &facts))
        .step(steps.next(facts.keys > 0), "Make a key", keying(visit, &facts))
        .step(steps.next(false), "Point your application here", snippets::of(visit));
    let page = visit
        .shell("First steps", &Href::page("/console/guide"))
        .lead("From a request to its proof, and on to your own application. Each step can be done again.")
        .body(steps);
    Ok(visit.page(&page))
}

/// Marks the first step that is not done.
#[derive(Default)]
struct Progress {
    found: bool,
}

impl Progress {
    fn next(&mut self, done: bool) -> Step {
        match (done, self.found) {
            (true, _) => Step::Done,
            (false, true) => Step::Later,
            (false, false) => {
                self.found = true;
                Step::Now
            }
        }
    }
}

async fn facts(visit: &Visit<'_>, shown: &Shown) -> Result<Facts, Refusal> {
    let rows = visit.admin().exchanges(ExchangeFilter::default(), None, NEWEST).await?.rows;
    let sent = shown.sent.as_ref().map(|sent| sent.exchange.as_str());
    let at = rows.iter().position(|row| Some(row.request.exchange.as_str()) == sent).unwrap_or(0);
    let store = &visit.admin().node.store;
    let given = usize::from(visit.admin().node.fixed_provider.is_some());
    let keys = store.keys().map_err(could_not)?;
    Ok(Facts {
        newest: rows.into_iter().nth(at),
        providers: store.providers().map_err(could_not)?.len() + given,
        keys: keys.iter().filter(|key| key.revoked_at.is_none()).count(),
    })
}

fn sending(visit: &Visit<'_>, shown: &Shown) -> Html {
    if !visit.admin().has_demo() {
        let words = Html::from(
            "A provider is configured, so there is no demo model here. Send a request with a key, or ",
        )
        .then(Link::new(Href::page("/console/playground"), "try a text in the playground"))
        .then(", which sends nothing.");
        return Paragraph::new(words).into();
    }
    let words = "The built-in demo model repeats what reached it. It is sent a card number and an e-mail address, through \
                 the whole gateway, as any application would send them.";
    let live = Html::from("Open ")
        .then(Link::new(Href::page("/console/live"), "Live"))
        .then(" in another window to watch it arrive.");
    let mut html = Html::from(Paragraph::new(words)).then(Paragraph::new(live).hush());
    if visit.may(Permission::TextInspect) {
        let button =
            Button::new(if shown.sent.is_some() { "Send it again" } else { "Send the request" }).primary();
        let press = PostButton::new(Href::page("/console/guide/send"), &visit.csrf(), button);
        html = html.then(LineUp::new([Html::from(press)]));
    }
    match &shown.sent {
        None => html,
        Some(sent) => html.then(Code::new("Asked", Language::Plain, sent.asked)).then(Code::new(
            format!("Answered, status {}", sent.status),
            Language::Plain,
            sent.answer.as_str(),
        )),
    }
}

/// The newest exchange: what was found in it, and what was done.
fn seeing(facts: &Facts) -> Html {
    let Some(row) = &facts.newest else {
        return Paragraph::new("As soon as there is an exchange, it is summed up here.").hush().into();
    };
    let found = row.findings().count();
    let says = match found {
        0 => "Nothing was found in the newest exchange. ".to_owned(),
        1 => "In the newest exchange one thing was found: ".to_owned(),
        n => format!("In the newest exchange {n} things were found: "),
    };
    let badges = row.findings().take(8).map(|finding| {
        let verdict = finding.verdict.parse().unwrap_or(bastide_types::Verdict::Flag);
        Html::from(format!("{} in {} ", finding.category, finding.origin)).then(Badge::from(verdict))
    });
    let replaced = row.findings().any(|finding| finding.verdict == "tokenise");
    let why = match replaced {
        true => {
            "The guard profile says what is done with each kind of finding. Tokens stand for the values until the \
             answer is back; the model never saw them."
        }
        false => "The guard profile says what is done with each kind of finding.",
    };
    let exchange = Href::page("/console/exchanges").segment(&row.request.exchange);
    Html::from(Paragraph::new(says))
        .then(LineUp::new(badges))
        .then(if found > 0 { Paragraph::new(why).hush().into() } else { Html::new() })
        .then(LineUp::new([
            Html::from(Link::button(exchange, "Open the exchange")),
            Link::button(Href::page("/console/guard"), "The guard profile").into(),
        ]))
}

fn proving(visit: &Visit<'_>, shown: &Shown) -> Html {
    let words = "Every answer carries a receipt: what was decided about the exchange, signed, with its place in the log. It \
                 proves itself to somebody who does not trust this server.";
    let mut html = Html::from(Paragraph::new(words));
    if shown.receipt.is_empty() {
        let hint = "Send the request above, or take the value of a `bastide-receipt` header to the log page.";
        return html.then(Paragraph::new(prose(&Text::from(hint))).hush());
    }
    html = html.then(Code::new("Receipt", Language::Plain, shown.receipt.as_str()));
    if let Some(checked) = &shown.checked {
        let (tone, title) = match checked.holds {
            true => (Tone::Allow, "The receipt holds"),
            false => (Tone::Block, "The receipt does not hold"),
        };
        html = html.then(Callout::new(tone, title).body(Html::from(checked.says.as_str())));
    }
    if visit.may(Permission::LogView) {
        let form = Form::post(Href::page("/console/guide/verify"), &visit.csrf())
            .field(Hidden::new("receipt", shown.receipt.as_str()))
            .button(Button::new("Verify it here"));
        html = html.then(form);
    }
    let data = visit.admin().node.dir();
    let command = format!(
        "bastide audit verify --data {} --receipt '{}'",
        bastide_admin::shell_word(data),
        shown.receipt
    );
    html.then(Code::new("Or without this server, from a copy of the log", Language::Shell, command))
}

fn providing(visit: &Visit<'_>, facts: &Facts) -> Html {
    let words = match facts.providers {
        0 => "Until there is one, only the demo model answers, and only on this machine.".to_owned(),
        1 => "One provider is configured.".to_owned(),
        n => format!("{n} providers are configured."),
    };
    Html::from(Paragraph::new(words)).then(leads(
        visit,
        Permission::ProvidersManage,
        "/console/models",
        "Models & providers",
    ))
}

fn keying(visit: &Visit<'_>, facts: &Facts) -> Html {
    let words = match facts.keys {
        0 => "A key says which application asks, and what it may.".to_owned(),
        1 => "One key is in use.".to_owned(),
        n => format!("{n} keys are in use."),
    };
    Html::from(Paragraph::new(words)).then(leads(visit, Permission::KeysManage, "/console/keys", "Keys"))
}

/// A link to where something is done, or who does it.
fn leads(visit: &Visit<'_>, permission: Permission, page: &'static str, label: &'static str) -> Html {
    match visit.may(permission) {
        true => Link::button(Href::page(page), label).into(),
        false => Paragraph::new("An operator or an administrator does this.").hush().into(),
    }
}
