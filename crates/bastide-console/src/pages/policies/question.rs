//! A decision tried out: what the policies would say to a request, and which of them.

use bastide_admin::{Answer, KeyState, Question};
use bastide_types::{Category, Verdict};
use http::StatusCode;

use super::{here, tabs};
use crate::design::{
    Badge, Button, Callout, Card, Choice, Column, Columns, Empty, Facts, Field, Form, Href, Html, Paragraph,
    Row, Shell, Table, Text, Tone, prose,
};
use crate::web::{Refusal, Reply, Visit};

const ACTIONS: [(&str, &str); 4] = [
    ("invoke", "invoke: call the model at all"),
    ("release", "release: send what was found"),
    ("receive", "receive: get the answer"),
    ("restore", "restore: put values back"),
];

pub(in crate::pages) async fn try_out(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let asked = visit.query.given("key").is_some();
    if !asked {
        return Ok(visit.page(&page(visit, None, Html::new())?));
    }
    match visit.admin().ask_policies(question(visit)).await {
        Ok(answer) => Ok(visit.page(&page(visit, None, shown(&answer))?)),
        Err(failure) => {
            let page = page(visit, Some(failure.message()), Html::new())?;
            Ok(Reply::page_with(StatusCode::UNPROCESSABLE_ENTITY, page.render()))
        }
    }
}

fn question(visit: &Visit<'_>) -> Question {
    let list = |name: &str| {
        let split = |c: char| c == ',' || c.is_whitespace();
        let words = visit.query.text(name).split(split).map(str::trim).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    Question {
        action: visit.query.given("action").unwrap_or("invoke").to_owned(),
        key: visit.query.text("key").to_owned(),
        model: visit.query.given("model").unwrap_or("MODEL").to_owned(),
        stream: visit.query.ticked("stream"),
        unscanned: visit.query.ticked("unscanned"),
        tools: list("tools"),
        categories: list("categories"),
        verdict: visit.query.given("verdict").map(str::to_owned),
        policies: None,
    }
}

fn page<'v>(visit: &'v Visit<'_>, wrong: Option<&str>, answer: Html) -> Result<Shell<'v>, Refusal> {
    let keys = visit.admin().all_keys()?;
    let mut page = visit
        .shell("Try the policies", &here())
        .lead("Nothing is sent or recorded: the policies in force are asked, and say why.")
        .tabs(tabs(1));
    if keys.is_empty() {
        return Ok(
            page.body(Empty::new("No keys yet", "A question is about a key; make one on the page Keys."))
        );
    }
    if let Some(why) = wrong {
        page = page.body(Callout::new(Tone::Block, why));
    }
    let query = &visit.query;
    let names = keys.iter().map(|key| {
        let state =
            if key.state == KeyState::Active { String::new() } else { format!(", {}", key.state.as_str()) };
        Choice::new(key.id.to_string(), format!("{} ({}{state})", key.name, key.project))
    });
    let asked = query.text("key");
    // A link may name the key.
    let chosen = keys.iter().find(|k| k.id.to_string() == asked || k.name == asked).map(|k| k.id.to_string());
    let known: Vec<String> = Category::ALL.iter().map(|c| format!("`{c}`")).collect();
    let verdicts = std::iter::once(Choice::new("", "as if nothing was found"))
        .chain(Verdict::ALL.iter().map(|v| Choice::new(v.as_str(), v.as_str())));
    let form = Form::get(Href::page("/console/policies/try"))
        .field(Field::select("key", "Key", names).value(chosen.unwrap_or_default()))
        .field(
            Field::select("action", "Action", ACTIONS.map(|(v, l)| Choice::new(v, l)))
                .value(query.given("action").unwrap_or("invoke")),
        )
        .field(Field::text("model", "Model").value(query.text("model")).placeholder("gpt-5-mini").mono())
        .field(
            Field::text("categories", "Found in it")
                .value(query.text("categories"))
                .hint(known.join(" "))
                .mono(),
        )
        .field(Field::select("verdict", "Verdict of the guard", verdicts).value(query.text("verdict")))
        .field(
            Field::text("tools", "Tools")
                .value(query.text("tools"))
                .hint("By name, with blanks between.")
                .mono(),
        )
        .field(Field::checkbox("stream", "A stream is asked for", query.ticked("stream")))
        .field(Field::checkbox("unscanned", "Something in it cannot be inspected", query.ticked("unscanned")))
        .button(Button::new("Ask").primary());
    let side = match answer.is_empty() {
        true => Html::from(Empty::new("Not asked yet", "Choose a key and a model.")),
        false => answer,
    };
    Ok(page.body(Columns::new([Card::new("Question").body(form).into(), side])))
}

fn shown(answer: &Answer) -> Html {
    let (tone, word) = match answer.permitted {
        true => (Tone::Allow, "Permitted"),
        false => (Tone::Block, "Denied"),
    };
    let because = match answer.policies.is_empty() {
        true => "no policy: what none permits is denied".to_owned(),
        false => answer.policies.join(", "),
    };
    let mut facts = Facts::new()
        .fact("Because of", Html::from(because))
        .fact("Provider", Html::from(&answer.provider))
        .fact("Model", Html::from(&answer.model));
    if let Some(refusal) = &answer.refusal {
        facts = facts.fact("The caller is told", prose(&Text::from(refusal)));
    }
    let rows = answer.looked.iter().map(|looked| {
        let effect = if looked.effect == "permit" { Tone::Allow } else { Tone::Block };
        Row::new([
            Html::from(&looked.policy),
            Badge::new(effect, looked.effect).into(),
            Html::from(&looked.outcome),
        ])
    });
    let columns = [Column::text("Policy"), Column::text("Effect"), Column::text("Its condition")];
    let table = Table::new("Every policy that looked at it", columns)
        .rows(rows)
        .empty(Empty::new("No policy looked at it", "None speaks of this action, key and provider."));
    Html::from(Callout::new(tone, word).body(facts))
        .then(Card::new("Who looked").flush().body(table))
        .then(Paragraph::new("The address of this page is the question: it can be sent to somebody.").hush())
}
