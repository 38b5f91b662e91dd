//! Changing the guard: its mode, and rules that are put together with a form or written as text.

use bastide_admin::{GuardDraft, Kind, Request, RuleTable, rules_text};
use bastide_types::{Category, Direction, GuardMode, Origin, Verdict};
use http::StatusCode;

use super::preview::{RESULT, fragment};
use super::{here, lock_notice, locked_by};
use crate::design::{
    Badge, Button, Card, Choice, Column, Columns, Disclosure, Empty, Field, Form, Href, Html, Link,
    Previewed, Row, Shell, Table,
};
use crate::web::flash::Said;
use crate::web::{Fields, Refusal, Reply, Visit};

fn preview() -> Href {
    Href::page("/console/guard/preview")
}

pub(in crate::pages) async fn edit(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let now = visit.admin().guard_now()?;
    let text = now.stored.as_ref().map(|row| row.text.clone()).unwrap_or_default();
    let draft = GuardDraft::read(Some(now.mode), &text, now.mode)?;
    Ok(visit.page(&page(visit, &draft, None, Html::new())))
}

pub(in crate::pages) async fn set(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let mode = visit.form.given("mode").map(str::to_owned);
    let rules = match visit.form.get("keep_rules") {
        Some(_) => None,
        None => Some(rules_of(&visit.form)),
    };
    let request = Request::GuardSet { mode: mode.clone(), rules: rules.clone() };
    match visit.console.server.clone().execute(visit.authorized()?, request).await {
        Ok(done) => {
            let said = format!(
                "version {} is in force: the guard is set to {}",
                done["version"].as_u64().unwrap_or_default(),
                done["mode"].as_str().unwrap_or_default()
            );
            Ok(visit.done(&here(), &Said::done(said, &done)))
        }
        Err(failure) if failure.kind() == Kind::Usage => {
            let wrong =
                Unread { text: rules.unwrap_or_default(), field: "rules", why: failure.message().to_owned() };
            let page = unread(visit, &wrong);
            Ok(Reply::page_with(StatusCode::UNPROCESSABLE_ENTITY, page.render()))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// The rules of a form. A browser writes line ends as two characters; nobody typed the first.
pub(super) fn rules_of(form: &Fields) -> String {
    form.get("rules").unwrap_or_default().replace("\r\n", "\n")
}

/// A form that is no guard.
pub(super) struct Unread {
    /// Its rules as text.
    text: String,
    /// The field that is wrong.
    field: &'static str,
    pub(super) why: String,
}

/// The draft of a form, with the rule that its buttons add or take away.
pub(super) fn draft_of(visit: &Visit<'_>) -> Result<GuardDraft, Unread> {
    let text = rules_of(&visit.form);
    let wrong = |field, why: &str| Unread { text: text.clone(), field, why: why.to_owned() };
    let read = |text: &str| {
        let draft = visit.admin().guard_draft(visit.form.given("mode"), Some(text));
        draft.map_err(|failure| wrong("rules", failure.message()))
    };
    let draft = read(&text)?;
    let mut tables = draft.tables.clone();
    match visit.form.text("do") {
        "add" => tables.push(rule_of(&visit.form).map_err(|why| wrong("rule_score", &why))?),
        other => match other.strip_prefix("remove:").and_then(|n| n.parse::<usize>().ok()) {
            Some(at) if at < tables.len() => drop(tables.remove(at)),
            _ => return Ok(draft),
        },
    }
    let other = rules_text(&tables);
    // The rule that was added may be the wrong one: the text goes back as it was.
    read(&other)
}

/// The rule that the form's fields describe.
fn rule_of(form: &Fields) -> Result<RuleTable, String> {
    let given = |name: &str| form.given(name).map(str::to_owned);
    let (category, family, detector) = match form.text("rule_finding").split_once(':') {
        Some(("family", name)) => (None, Some(name.to_owned()), None),
        Some(("category", name)) => (Some(name.to_owned()), None, None),
        _ => (None, None, given("rule_detector")),
    };
    let (origin, trust) = match form.text("rule_from").split_once(':') {
        Some(("origin", name)) => (Some(name.to_owned()), None),
        Some(("trust", name)) => (None, Some(name.to_owned())),
        _ => (None, None),
    };
    let min_score = match form.given("rule_score") {
        None => None,
        Some(typed) => match typed.parse().ok().filter(|score| bastide_admin::score(*score).is_some()) {
            Some(score) => Some(score),
            None => {
                let typed: String = typed.chars().take(40).collect();
                return Err(format!("`{typed}` is not between 0 and 1, such as `0.7`"));
            }
        },
    };
    Ok(RuleTable {
        category,
        family,
        detector,
        origin,
        trust,
        direction: given("rule_direction"),
        min_score,
        verdict: form.text("rule_verdict").to_owned(),
    })
}

/// The page for a text that cannot be read.
pub(super) fn unread<'v>(visit: &'v Visit<'_>, wrong: &Unread) -> Shell<'v> {
    let mode = visit.form.text("mode").parse().unwrap_or_default();
    let profile = bastide_admin::guard_profile(&[]).unwrap_or_default();
    let draft = GuardDraft { mode, text: wrong.text.clone(), tables: Vec::new(), profile };
    page(visit, &draft, Some(wrong), Html::new())
}

pub(super) fn page<'v>(
    visit: &'v Visit<'_>,
    draft: &GuardDraft,
    wrong: Option<&Unread>,
    result: Html,
) -> Shell<'v> {
    let mut page = visit.shell("Edit the guard", &here()).crumb("Guard", Some(here())).lead(
        "Your rules stand in the place of the default ones that they cover; the most specific rule decides.",
    );
    if let Some(origin) = locked_by(visit) {
        return page.body(lock_notice(&origin));
    }
    let modes = [
        Choice::new("enforce", "Enforce").hint("It acts as the rules say."),
        Choice::new("observe", "Observe").hint("It records what it would do, and changes nothing."),
        Choice::new("off", "Off").hint("It looks for nothing, and receipts say so."),
    ];
    let rows = u8::try_from(draft.text.lines().count().clamp(6, 30)).unwrap_or(30);
    let text = Field::area("rules", "Rules as text", rows)
        .mono()
        .value(draft.text.clone())
        .placeholder("[[guard.rules]]\ncategory = \"CREDIT_CARD\"\nverdict = \"block\"");
    let text = match wrong {
        Some(wrong) if wrong.field == "rules" => text.error(wrong.why.as_str()),
        _ => text.hint("As in the settings file. The form writes it anew, without its comments."),
    };
    let in_text = Disclosure::new("As text", text);
    let form = Form::post(preview(), &visit.csrf())
        .preview(&preview(), RESULT)
        .field(Field::radios("mode", "Mode", modes).value(draft.mode.as_str()))
        // The first button is the one that Enter presses.
        .field(add_fields(&visit.form, wrong))
        .field(rules_table(draft))
        .field(if wrong.is_some() || draft.tables.is_empty() { in_text.open() } else { in_text })
        .button(Button::new("Preview"))
        .button(Button::new("Save").primary().to(here()))
        .link(Link::button(here(), "Cancel"));
    let result = if result.is_empty() {
        Empty::new(
            "Not tried yet",
            "Preview tries it on the newest 1,000 exchanges; nothing is changed by that.",
        )
        .into()
    } else {
        result
    };
    page = page
        .body(Columns::new([Card::new("Guard").body(form).into(), Previewed::new(RESULT, result).into()]));
    page
}

fn rules_table(draft: &GuardDraft) -> Table {
    let rows = draft.tables.iter().enumerate().map(|(at, rule)| {
        let what = rule.category.as_deref().or(rule.family.as_deref()).or(rule.detector.as_deref());
        let from = rule.origin.as_deref().or(rule.trust.as_deref()).unwrap_or("anyone");
        let verdict: Html = match rule.verdict.parse::<Verdict>() {
            Ok(verdict) => Badge::from(verdict).into(),
            Err(_) => Html::from(&rule.verdict),
        };
        Row::new([
            Html::from(what.unwrap_or_default()),
            Html::from(from),
            Html::from(rule.direction.as_deref().unwrap_or("both")),
            Html::from(rule.min_score.map(|s| s.to_string()).unwrap_or_default()),
            verdict,
            Button::new("Remove").small().sends("do", format!("remove:{at}")).into(),
        ])
    });
    let columns = [
        Column::text("Finding"),
        Column::text("In text of"),
        Column::text("Direction"),
        Column::number("From score"),
        Column::text("Verdict"),
        Column::text(""),
    ];
    Table::new("Your rules", columns)
        .rows(rows)
        .empty(Empty::new("No rules of your own", "The defaults hold. Add a rule above to say otherwise."))
}

fn add_fields(kept: &Fields, wrong: Option<&Unread>) -> Disclosure {
    let wrong = wrong.filter(|wrong| wrong.field == "rule_score");
    let families = [
        Choice::new("family:personal_data", "all personal data"),
        Choice::new("family:secret", "all secrets"),
        Choice::new("family:attack", "all attacks"),
    ];
    let categories = Category::ALL.iter().filter(|c| c.family() != bastide_types::Guarded::Own);
    let findings = families
        .into_iter()
        .chain(categories.map(|c| Choice::new(format!("category:{c}"), c.as_str())))
        .chain([Choice::new("detector", "one detector, named below")]);
    let from = [
        Choice::new("", "anyone"),
        Choice::new("trust:operator", "the operator (system prompts)"),
        Choice::new("trust:user", "the user"),
        Choice::new("trust:untrusted", "anything untrusted (tools, documents, answers)"),
    ];
    let from = from
        .into_iter()
        .chain(Origin::ALL.iter().map(|o| Choice::new(format!("origin:{o}"), format!("origin {o}"))));
    let directions = [
        Choice::new("", "both"),
        Choice::new(Direction::Request.to_string(), "towards the model"),
        Choice::new(Direction::Response.to_string(), "towards the caller"),
    ];
    let verdicts = Verdict::ALL.iter().map(|v| Choice::new(v.as_str(), v.as_str()));
    let or = |name: &str, otherwise: &str| kept.given(name).unwrap_or(otherwise).to_owned();
    let score = Field::text("rule_score", "From score").value(or("rule_score", ""));
    let fields = Html::from(Field::select("rule_finding", "Finding", findings).value(or("rule_finding", "")))
        .then(
            Field::text("rule_detector", "Detector")
                .value(or("rule_detector", ""))
                .mono()
                .hint("Only for one detector."),
        )
        .then(Field::select("rule_from", "In text of", from).value(or("rule_from", "")))
        .then(Field::select("rule_direction", "Direction", directions).value(or("rule_direction", "")))
        .then(match wrong {
            Some(wrong) => score.error(wrong.why.as_str()),
            None => score.hint("Between 0 and 1; empty for any."),
        })
        .then(Field::select("rule_verdict", "Verdict", verdicts).value(or("rule_verdict", "redact")))
        .then(Button::new("Add the rule").sends("do", "add"));
    let form = Disclosure::new("Add a rule", fields);
    // A closed one would hide what is wrong.
    if wrong.is_some() { form.open() } else { form }
}

/// What a mode is called where it is chosen.
pub(super) fn mode_word(mode: GuardMode) -> &'static str {
    match mode {
        GuardMode::Enforce => "acts",
        GuardMode::Observe => "only observes",
        GuardMode::Off => "looks for nothing",
    }
}

/// The result of a preview, beside the form.
pub(super) async fn previewed(visit: &Visit<'_>, draft: &GuardDraft) -> Result<Html, Refusal> {
    let preview = visit.admin().guard_preview(draft).await?;
    Ok(fragment(visit, draft, &preview))
}
