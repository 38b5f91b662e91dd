//! A decision tried out: what the policies would say to a request, and which of them.

use bastide_admin::{Answer, KeyState, Question};
use bastide_types::{Category, Verdict};
use http::StatusCode;

use super::{here, tabs};
use crate::design::{
    Badge, Button, Callout, Card, Choice, Column, Columns, Empty, Facts, Field, Form, Hidden, Href, Html,
    Paragraph, Row, Shell, Table, Text, Tone, prose,
};
use crate::web::{Fields, Refusal, Reply, Visit};

const ACTIONS: [(&str, &str); 4] = [
    ("invoke", "invoke: call the model at all"),
    ("release", "release: send what was found"),
    ("receive", "receive: get the answer"),
    ("restore", "restore: put values back"),
];

pub(in crate::pages) async fn try_out(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    answered(visit, &visit.query, None).await
}

/// The same of policies that are not in force: their text travels in forms only.
pub(in crate::pages) async fn try_draft(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let text = super::edit::text(visit);
    answered(visit, &visit.form, Some(text)).await
}

async fn answered(visit: &Visit<'_>, asked: &Fields, draft: Option<String>) -> Result<Reply, Refusal> {
    let page = |wrong: Option<&str>, answer| page(visit, asked, draft.as_deref(), wrong, answer);
    if asked.given("key").is_none() {
        return Ok(visit.page(&page(None, Html::new())?));
    }
    match visit.admin().ask_policies(question(asked, draft.clone())).await {
        Ok(answer) => Ok(visit.page(&page(None, shown(&answer, draft.is_some()))?)),
        Err(failure) => {
            let page = page(Some(failure.message()), Html::new())?;
            Ok(Reply::page_with(StatusCode::UNPROCESSABLE_ENTITY, page.render()))
        }
    }
}

fn question(asked: &Fields, policies: Option<String>) -> Question {
    let list = |name: &str| {
        let split = |c: char| c == ',' || c.is_whitespace();
        let words = asked.text(name).split(split).map(str::trim).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    Question {
        action: asked.given("action").unwrap_or("invoke").to_owned(),
        key: asked.text("key").to_owned(),
        model: asked.given("model").unwrap_or("MODEL").to_owned(),
        stream: asked.ticked("stream"),
        unscanned: asked.ticked("unscanned"),
        tools: list("tools"),
        categories: list("categories"),
        verdict: asked.given("verdict").map(str::to_owned),
        policies,
    }
}

fn page<'v>(
    visit: &'v Visit<'_>,
    asked: &Fields,
    draft: Option<&str>,
    wrong: Option<&str>,
    answer: Html,
) -> Result<Shell<'v>, Refusal> {
    let keys = visit.admin().all_keys()?;
    let lead = match draft {
        Some(_) => "Nothing is sent, recorded or put in force: your text is asked, and says why.",
        None => "Nothing is sent or recorded: the policies in force are asked, and say why.",
    };
    let mut page = visit.shell("Try the policies", &here()).lead(lead).tabs(tabs(1));
    if keys.is_empty() {
        return Ok(
            page.body(Empty::new("No keys yet", "A question is about a key; make one on the page Keys."))
        );
    }
    if let Some(why) = wrong {
        page = page.body(Callout::new(Tone::Block, why));
    }
    let names = keys.iter().map(|key| {
        let state =
            if key.state == KeyState::Active { String::new() } else { format!(", {}", key.state.as_str()) };
        Choice::new(key.id.to_string(), format!("{} ({}…, {}{state})", key.name, key.hint, key.project))
    });
    let key = asked.text("key");
    // A link may name the key.
    let chosen = keys.iter().find(|k| k.id.to_string() == key || k.name == key).map(|k| k.id.to_string());
    let known: Vec<String> = Category::ALL.iter().map(|c| format!("`{c}`")).collect();
    let verdicts = std::iter::once(Choice::new("", "as if nothing was found"))
        .chain(Verdict::ALL.iter().map(|v| Choice::new(v.as_str(), v.as_str())));
    let to = Href::page("/console/policies/try");
    let form = match draft {
        Some(text) => Form::post(to, &visit.csrf()).field(Hidden::new("text", text)),
        None => Form::get(to),
    };
    let form = form
        .field(Field::select("key", "Key", names).value(chosen.unwrap_or_default()))
        .field(
            Field::select("action", "Action", ACTIONS.map(|(v, l)| Choice::new(v, l)))
                .value(asked.given("action").unwrap_or("invoke")),
        )
        .field(Field::text("model", "Model").value(asked.text("model")).placeholder("gpt-5-mini").mono())
        .field(
            Field::text("categories", "Found in it")
                .value(asked.text("categories"))
                .hint(known.join(" "))
                .mono(),
        )
        .field(Field::select("verdict", "Verdict of the guard", verdicts).value(asked.text("verdict")))
        .field(
            Field::text("tools", "Tools")
                .value(asked.text("tools"))
                .hint("By name, with blanks between.")
                .mono(),
        )
        .field(Field::checkbox("stream", "A stream is asked for", asked.ticked("stream")))
        .field(Field::checkbox("unscanned", "Something in it cannot be inspected", asked.ticked("unscanned")))
        .button(Button::new("Ask").primary());
    let form = match draft {
        Some(_) => form.button(Button::new("Back to the text").to(Href::page("/console/policies/check"))),
        None => form,
    };
    let side = match answer.is_empty() {
        true => Html::from(Empty::new("Not asked yet", "Choose a key and a model.")),
        false => answer,
    };
    Ok(page.body(Columns::new([Card::new("Question").body(form).into(), side])))
}

fn shown(answer: &Answer, draft: bool) -> Html {
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
    let note = match draft {
        true => "Your text was asked; what is in force may say something else.",
        false => "The address of this page is the question: it can be sent to somebody.",
    };
    Html::from(Callout::new(tone, word).body(facts))
        .then(Card::new("Who looked").flush().body(table))
        .then(Paragraph::new(note).hush())
}
