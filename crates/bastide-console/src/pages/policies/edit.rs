//! Writing policies: checked before they are put in force.

use bastide_admin::{Kind, PolicyChecked, Request};
use http::StatusCode;

use super::{here, remarks};
use crate::design::{
    Button, Callout, Card, Code, Diff, Field, Form, Hidden, Href, Html, Language, Link, Paragraph, Text,
    Tone, prose,
};
use crate::web::flash::Said;
use crate::web::{Refusal, Reply, Visit};

/// Lines that are shown before and behind the one that is wrong.
const AROUND: usize = 3;

pub(in crate::pages) async fn edit(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let text = visit.admin().policy_text()?;
    Ok(visit.page(&page(visit, &text, None, Html::new())))
}

pub(in crate::pages) async fn check(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let text = text(visit);
    let (status, wrong, said) = checked(visit, &text).await?;
    Ok(Reply::page_with(status, page(visit, &text, wrong.as_deref(), said).render()))
}

pub(in crate::pages) async fn set(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let text = text(visit);
    let request = Request::PolicySet { text: text.clone() };
    match visit.console.server.clone().execute(visit.authorized()?, request).await {
        Ok(done) => {
            let version = done["version"].as_u64().unwrap_or_default();
            Ok(visit.done(&here(), &Said::done(format!("version {version} is in force"), &done)))
        }
        Err(failure) if failure.kind() == Kind::DoesNotHold => {
            let (_, wrong, said) = checked(visit, &text).await?;
            let why = wrong.unwrap_or_else(|| failure.message().to_owned());
            let page = page(visit, &text, Some(&why), said);
            Ok(Reply::page_with(StatusCode::UNPROCESSABLE_ENTITY, page.render()))
        }
        Err(failure) => Err(failure.into()),
    }
}

/// A browser writes line ends of a form as two characters; nobody typed the first.
pub(super) fn text(visit: &Visit<'_>) -> String {
    visit.form.get("text").unwrap_or_default().replace("\r\n", "\n")
}

/// What is wrong with a text, for its field, and what else there is to say.
async fn checked(visit: &Visit<'_>, text: &str) -> Result<(StatusCode, Option<String>, Html), Refusal> {
    Ok(match visit.admin().check_policies(text.to_owned()).await? {
        PolicyChecked::Holds { policies, warnings } => {
            let says = match policies {
                0 => "It holds, but there is no policy in it, so everything would be denied".to_owned(),
                1 => "It holds: 1 policy".to_owned(),
                n => format!("It holds: {n} policies"),
            };
            let now = visit.admin().policy_text()?;
            let draft = Form::post(Href::page("/console/policies/try"), &visit.csrf())
                .field(Hidden::new("text", text))
                .button(Button::new("Try with this text"));
            let said = Html::from(
                Callout::new(Tone::Allow, says)
                    .body(Paragraph::new("Nothing is in force before it is saved."))
                    .body(draft),
            )
            .then(remarks(&warnings))
            .then(Diff::new("What saving changes", &now, text));
            (StatusCode::OK, None, said)
        }
        PolicyChecked::Wrong(problems) => {
            let line = problems.first().and_then(|p| p.line);
            let all: Vec<&str> = problems.iter().map(|p| p.says.as_str()).collect();
            let code = line.map(|line| Code::new("Where", Language::Cedar, text).at(line).around(AROUND));
            let lines = Html::join(all.iter().map(|says| Paragraph::new(prose(&Text::from(*says)))));
            let said = Html::from(
                Callout::new(Tone::Block, "It does not hold, and nothing was changed").body(lines),
            )
            .then(code.map(Html::from).unwrap_or_default());
            (StatusCode::UNPROCESSABLE_ENTITY, all.first().map(|s| (*s).to_owned()), said)
        }
    })
}

fn page<'v>(visit: &'v Visit<'_>, text: &str, wrong: Option<&str>, said: Html) -> crate::design::Shell<'v> {
    let rows = u8::try_from(text.lines().count().clamp(16, 40)).unwrap_or(40);
    let area = Field::area("text", "Policies", rows).mono().value(text);
    let form = Form::post(Href::page("/console/policies/check"), &visit.csrf())
        .wide()
        .field(match wrong {
            Some(why) => area.error(why),
            None => area.hint("Cedar; `bastide policy schema` prints what a policy may speak of."),
        })
        .button(Button::new("Check"))
        .button(Button::new("Save").primary().to(here()))
        .link(Link::button(here(), "Cancel"));
    visit
        .shell("Edit policies", &here())
        .crumb("Policies", Some(here()))
        .lead("In force for the next request, and for streams that run, as soon as they are saved.")
        .body(said)
        .body(Card::new("").body(form))
}
