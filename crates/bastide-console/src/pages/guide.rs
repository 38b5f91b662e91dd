//! First steps: from a request to its proof, and on to an application of one's own.

use bastide_admin::{DemoExchange, ExchangeFilter, ExchangeRow, Kind, ReceiptShown, could_not};
use bastide_types::{Permission, Verdict};

use super::snippets::{self, CLIENTS};
use super::{rows, verify_command};
use crate::design::{
    Badge, Button, Callout, Code, Field, Form, Hidden, Href, Html, Language, LineUp, Link, Paragraph,
    PostButton, Step, Steps, Tabs, Text, Tone, prose,
};
use crate::web::{Lasts, Refusal, Reply, VERIFIED_COOKIE, Visit, write_cookie};

/// How long a browser remembers that its user has verified a receipt.
const A_YEAR: u64 = 365 * 24 * 60 * 60;
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
    /// Whether a key of an application was used.
    used: bool,
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
    let checked = match visit.admin().check_receipt(&receipt).await {
        Ok(checked) => checked,
        Err(failure) if failure.kind() == Kind::Usage => {
            ReceiptShown { holds: false, says: failure.message().to_owned(), entry: None }
        }
        Err(failure) => return Err(failure.into()),
    };
    let held = checked.holds;
    let reply = page(visit, Shown { sent: None, receipt, checked: Some(checked) }).await?;
    let kept = || write_cookie(VERIFIED_COOKIE, "yes", visit.visitor.tls, Lasts::Seconds(A_YEAR));
    Ok(if held { reply.cookie(&kept()) } else { reply })
}

async fn page(visit: &Visit<'_>, shown: Shown) -> Result<Reply, Refusal> {
    let facts = facts(visit, &shown).await?;
    let seen = facts.newest.is_some();
    let held = shown.checked.as_ref().map_or(visit.has_verified, |checked| checked.holds);
    let mut steps = Progress::default();
    let [send, see, verify, provider, key, point] =
        [seen, seen, held, facts.providers > 0, facts.keys > 0, facts.used].map(|done| steps.next(done));
    let steps = Steps::new()
        .open()
        .step(send, "Send a first request", sending(visit, &shown, send))
        .step(see, "See what happened to it", seeing(&facts))
        .step(verify, "Verify its receipt", proving(visit, &shown, verify).await?)
        .step(provider, "Add a provider", providing(visit, &facts, provider))
        .step(key, "Make a key", keying(visit, &facts, key))
        .step(point, "Point your application here", pointing(visit));
    let page = visit
        .shell("First steps", &Href::page("/console/guide"))
        .lead("From a request to its proof, and on to your own application. Each step can be done again.")
        .body(steps);
    Ok(visit.page(&page))
}

/// The button of a step: the one to press where it is this step's turn.
fn of_step(button: Button, step: Step) -> Button {
    if step == Step::Now { button.primary() } else { button }
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
    let keys = visit.admin().all_keys()?;
    Ok(Facts {
        newest: rows.into_iter().nth(at),
        providers: store.providers().map_err(could_not)?.len() + given,
        keys: keys.iter().filter(|key| key.revoked_at.is_none()).count(),
        used: keys.iter().any(|key| key.last_use.is_some()),
    })
}

fn sending(visit: &Visit<'_>, shown: &Shown, step: Step) -> Html {
    if !visit.admin().has_demo() {
        let words = "A provider is configured, so there is no demo model here: a request needs a key, and the example at \
                     the end of this page sends one. The playground shows what would happen to a text, and sends nothing.";
        let way = Link::button(Href::page("/console/playground"), "Try a text in the playground");
        let way = if step == Step::Now { way.primary() } else { way };
        return Html::from(Paragraph::new(words)).then(LineUp::new([Html::from(way)]));
    }
    let words = "The built-in demo model repeats what reached it. It is sent a card number and an e-mail address, through \
                 the whole gateway, as any application would send them.";
    let live = Html::from("Open ")
        .then(Link::new(Href::page("/console/live"), "Live"))
        .then(" in another window to watch it arrive.");
    let mut html = Html::from(Paragraph::new(words)).then(Paragraph::new(live).hush());
    if visit.may(Permission::TextInspect) {
        let again = shown.sent.is_some() || step == Step::Done;
        let button = of_step(Button::new(if again { "Send it again" } else { "Send the request" }), step);
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
    let sent = row.request.sent;
    let badges = row.findings().take(8).map(|finding| {
        let verdict: Verdict = finding.verdict.parse().unwrap_or(Verdict::Flag);
        let badge = match rows::would(verdict, rows::is_observed(row) || (!sent && verdict < Verdict::Hold)) {
            Some(words) => Badge::new(verdict.into(), words),
            None => verdict.into(),
        };
        Html::from(format!("{} in {} ", finding.category, finding.origin)).then(badge)
    });
    let replaced = row.findings().any(|finding| finding.verdict == "tokenise");
    let why = match (sent, rows::denied_by(&row.request.decisions)) {
        (false, Some(by)) => format!("The exchange was refused: {by}. Nothing of it left."),
        (false, None) => "The guard refused the exchange. Nothing of it left.".to_owned(),
        (true, _) if replaced && !rows::is_observed(row) => {
            "The guard profile says what is done with each kind of finding. Tokens stand for the values until the \
             answer is back; the model never saw them."
                .to_owned()
        }
        (true, _) => "The guard profile says what is done with each kind of finding.".to_owned(),
    };
    let exchange = Href::page("/console/exchanges").segment(&row.request.exchange);
    Html::from(Paragraph::new(says))
        .then(LineUp::new(badges))
        .then(if found > 0 || !sent {
            Paragraph::new(prose(&Text::from(why))).hush().into()
        } else {
            Html::new()
        })
        .then(LineUp::new([
            Html::from(Link::button(exchange, "Open the exchange")),
            Link::button(Href::page("/console/guard"), "The guard profile").into(),
        ]))
}

async fn proving(visit: &Visit<'_>, shown: &Shown, step: Step) -> Result<Html, Refusal> {
    let words = "Every answer carries a receipt: what was decided about the exchange, signed, with its place in the log. It \
                 proves itself to somebody who does not trust this server.";
    let mut html = Html::from(Paragraph::new(words));
    let key = visit.admin().log_health().await?.key;
    if !shown.receipt.is_empty() {
        html = html.then(Code::new("Receipt", Language::Plain, shown.receipt.as_str()));
    }
    if let Some(checked) = &shown.checked {
        let (tone, title) = match checked.holds {
            true => (Tone::Allow, "The receipt holds"),
            false => (Tone::Block, "The receipt does not hold"),
        };
        html = html.then(Callout::new(tone, title).body(Html::from(checked.says.as_str())));
    }
    if visit.may(Permission::LogView) {
        let form = Form::post(Href::page("/console/guide/verify"), &visit.csrf());
        let form = match shown.receipt.as_str() {
            "" => form.field(
                Field::area("receipt", "Receipt", 3)
                    .mono()
                    .hint("The value of the `bastide-receipt` header of an answer. Sending the request above fills it in.")
                    .required(),
            ),
            receipt => form.field(Hidden::new("receipt", receipt)),
        };
        html = html.then(form.button(of_step(Button::new("Verify it here"), step)));
    }
    Ok(html.then(verify_command(&shown.receipt, &key)))
}

fn providing(visit: &Visit<'_>, facts: &Facts, step: Step) -> Html {
    let words = match facts.providers {
        0 => "Until there is one, only the demo model answers, and only on this machine.".to_owned(),
        1 => "One provider is configured.".to_owned(),
        n => format!("{n} providers are configured."),
    };
    Html::from(Paragraph::new(words)).then(leads(
        visit,
        Permission::ProvidersManage,
        Link::button(Href::page("/console/models"), "Models & providers"),
        step,
    ))
}

fn keying(visit: &Visit<'_>, facts: &Facts, step: Step) -> Html {
    let words = match facts.keys {
        0 => "A key says which application asks, and what it may.".to_owned(),
        1 => "One key is in use.".to_owned(),
        n => format!("{n} keys are in use."),
    };
    Html::from(Paragraph::new(words)).then(leads(
        visit,
        Permission::KeysManage,
        Link::button(Href::page("/console/keys"), "Keys"),
        step,
    ))
}

/// A link to where something is done, or who does it.
fn leads(visit: &Visit<'_>, permission: Permission, link: Link, step: Step) -> Html {
    match (visit.may(permission), step) {
        (true, Step::Now) => link.primary().into(),
        (true, _) => link.into(),
        (false, _) => Paragraph::new("An operator or an administrator does this.").hush().into(),
    }
}

/// The example for the chosen client.
fn pointing(visit: &Visit<'_>) -> Html {
    let chosen = visit.query.text("client");
    let at = CLIENTS.iter().position(|client| client.id == chosen).unwrap_or(0);
    let tabs = CLIENTS.iter().fold(Tabs::new("Clients", at), |tabs, client| {
        tabs.tab(client.name, Href::page("/console/guide").query("client", client.id))
    });
    let mut words = format!(
        "Two values change in your application: the base URL and the key, which the examples read from the variable `{}`.",
        snippets::VARIABLE
    );
    if snippets::model(visit) == snippets::NO_MODEL {
        words.push_str(&format!(" Put the name of one of your models in place of `{}`.", snippets::NO_MODEL));
    }
    let example = CLIENTS.get(at).map(|client| Html::from(client.example(visit))).unwrap_or_default();
    Html::from(Paragraph::new(prose(&Text::from(words)))).then(tabs).then(example)
}
