//! Models and providers: where requests go.

use bastide_admin::{CredentialGiven, KNOWN, ProviderFacts, ProviderState, ProviderWanted, Request};
use bastide_types::Permission;
use http::StatusCode;

use crate::design::{
    Badge, Button, Card, Choice, Column, Columns, Dialog, Disclosure, Empty, Facts, Field, Form, Href, Html,
    LineUp, Paragraph, PostButton, Row, Section, Shell, Table, Text, Tone, When, format, prose,
};
use crate::web::flash::Said;
use crate::web::{Refusal, Reply, Visit};

fn here() -> Href {
    Href::page("/console/models")
}

/// What is wrong with a filled-in form, at which field.
struct Wrong {
    field: &'static str,
    why: String,
}

pub(super) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Ok(visit.page(&page(visit, None)?))
}

fn page<'v>(visit: &'v Visit<'_>, wrong: Option<&Wrong>) -> Result<Shell<'v>, Refusal> {
    let providers = visit.admin().all_providers()?;
    let projects = visit.admin().all_projects()?;
    let mut page = visit.shell("Models & providers", &here()).lead(
        "A request goes to one provider: the one that its model's name begins with, such as `openai/gpt-5-mini`, or else \
         the first of this list that takes it. The others get nothing of it.",
    );
    if visit.may(Permission::ProvidersManage) {
        let names: Vec<&str> = projects.iter().map(|p| p.name.as_str()).collect();
        let form = provider_form(visit, &names, wrong);
        let in_provider = wrong.is_some_and(|w| w.field != "project_name");
        page = match in_provider {
            true => page.body(Card::new("New provider").body(form)),
            false => page.action(Dialog::new("New provider", "New provider", form)),
        };
    }
    page = page.body(providers_table(visit, &providers)).body(routes(visit, &providers));
    Ok(page.body(Columns::new([models_card(visit), projects_card(visit, &projects, wrong)])))
}

fn providers_table(visit: &Visit<'_>, providers: &[ProviderFacts]) -> Table {
    let columns = [
        Column::text("Name"),
        Column::text("Base URL"),
        Column::text("Credential"),
        Column::text("For"),
        Column::text("State"),
        Column::text("Given by"),
        Column::text(""),
    ];
    Table::new("Providers, in the order in which they are tried", columns)
        .rows(providers.iter().map(|provider| provider_row(visit, provider)))
        .empty(Empty::new(
            "No providers yet",
            "Add one with New provider, or with `bastide provider add openai --key-env OPENAI_API_KEY`.",
        ))
}

fn provider_row(visit: &Visit<'_>, provider: &ProviderFacts) -> Row {
    let state: Html = match &provider.state {
        ProviderState::Ready => Badge::new(Tone::Allow, "ready").into(),
        ProviderState::Resting => Badge::new(Tone::Flag, "resting").into(),
        ProviderState::Unknown => Badge::new(Tone::Neutral, "not running").into(),
        ProviderState::Unusable(why) => {
            Html::from(Badge::new(Tone::Block, "unusable")).then(Paragraph::new(Html::from(why)).hush())
        }
    };
    let of = |what: &str| Href::page("/console/providers").segment(&provider.name).segment(what);
    let mut actions: Vec<Html> = Vec::new();
    if visit.may(Permission::ProvidersManage) {
        actions.push(PostButton::new(of("test"), &visit.csrf(), Button::new("Test").small()).into());
        if provider.removable {
            let form = Form::post(of("remove"), &visit.csrf())
                .field(Paragraph::new(format!(
                    "Requests go to the providers after `{}`, or fail when there is none. Its sealed credential is of no \
                     use any more.",
                    provider.name
                )))
                .button(Button::new("Remove").danger());
            actions.push(Dialog::new("Remove", format!("Remove `{}`", provider.name), form).into());
        }
    }
    let base = if provider.base_url.is_empty() { "in this server" } else { provider.base_url.as_str() };
    Row::new([
        Html::from(&provider.name),
        Html::from(base),
        Html::from(&provider.credential),
        Html::from(provider.project.as_deref().unwrap_or("every project")),
        state,
        Html::from(provider.given),
        LineUp::new(actions).into(),
    ])
}

/// Which name leads where.
fn routes(visit: &Visit<'_>, providers: &[ProviderFacts]) -> Section {
    let section = Section::new("Routes")
        .note("A name without a provider's name before it goes to the first one of the list that takes the request.");
    let columns = [Column::text("A caller asks for"), Column::text("and is sent to"), Column::text("as")];
    let mut table = Table::new("Which model name leads where", columns)
        .empty(Empty::new("No routes", "Without a provider no request has anywhere to go."));
    let order: Vec<&str> =
        providers.iter().filter(|p| p.given != "built in").map(|p| p.name.as_str()).collect();
    if !order.is_empty() {
        let cells = [Html::from("MODEL"), Html::from(order.join(", then ")), Html::from("MODEL")];
        table = table.row(Row::new(cells));
        table = table.rows(order.iter().map(|name| {
            Row::new([Html::from(format!("{name}/MODEL")), Html::from(*name), Html::from("MODEL")])
        }));
    } else if let Some(demo) = providers.iter().find(|p| p.given == "built in") {
        let cells =
            [Html::from("any name, with the demo key"), Html::from(&demo.name), Html::from("the same name")];
        table = table.row(Row::new(cells));
    }
    let asked = visit.query.text("model").to_owned();
    let mut section = section.body(table).body(
        Form::get(here())
            .field(
                Field::text("model", "Where does this name lead?")
                    .value(asked.clone())
                    .placeholder("gpt-5-mini")
                    .mono(),
            )
            .button(Button::new("Look")),
    );
    if !asked.is_empty() {
        let projects = visit.admin().all_projects().unwrap_or_default();
        let mut facts = Facts::new();
        for project in projects {
            let says = match visit.admin().route_of(&asked, project.id) {
                Some((model, providers)) => format!("to {}, as `{model}`", providers.join(", then ")),
                None => "nowhere: no provider serves it".to_owned(),
            };
            facts = facts.fact(format!("In {}", project.name), prose(&Text::from(says)));
        }
        section = section.body(facts);
    }
    section
}

fn models_card(visit: &Visit<'_>) -> Html {
    let columns = [
        Column::text("Model"),
        Column::number("Exchanges"),
        Column::number("Refused"),
        Column::number("Tokens in"),
        Column::number("Tokens out"),
    ];
    let rows = visit.admin().models_today().into_iter().map(|(name, used)| {
        let href = Href::page("/console/exchanges").query("model", &name);
        Row::new([
            Html::from(&name),
            Html::from(format::count(used.exchanges)),
            Html::from(format::count(used.blocked)),
            Html::from(format::count(used.input_tokens)),
            Html::from(format::count(used.output_tokens)),
        ])
        .href(href)
    });
    let table = Table::new("Models that were asked for today", columns)
        .rows(rows)
        .empty(Empty::new("Nothing asked for today", "Models appear here when callers use them."));
    Card::new("Models today")
        .note("Since midnight UTC, by the names that callers used.")
        .flush()
        .body(table)
        .into()
}

fn projects_card(
    visit: &Visit<'_>,
    projects: &[bastide_identity::ProjectRow],
    wrong: Option<&Wrong>,
) -> Html {
    let columns = [Column::text("Project"), Column::text("Id"), Column::text("Made")];
    let rows = projects.iter().map(|p| {
        Row::new([
            Html::from(&p.name),
            crate::design::Id::new(p.id.to_string()).into(),
            When::new(p.created_at, visit.now()).into(),
        ])
    });
    let mut card = Card::new("Projects").body(Table::new("Projects", columns).rows(rows));
    if visit.may(Permission::ProjectsManage) {
        let wrong = wrong.filter(|w| w.field == "project_name");
        let mut name = Field::text("project_name", "Name").value(visit.form.text("project_name")).required();
        if let Some(wrong) = wrong {
            name = name.error(&wrong.why);
        }
        let form = Form::post(Href::page("/console/projects"), &visit.csrf())
            .field(name)
            .button(Button::new("Make the project"));
        let more = Disclosure::new("New project", form);
        card = card.body(if wrong.is_some() { more.open() } else { more });
    }
    card.into()
}

fn provider_form(visit: &Visit<'_>, projects: &[&str], wrong: Option<&Wrong>) -> Form {
    let kept = &visit.form;
    let with = |field: Field, name: &'static str| {
        let field = if kept.get(name).is_some() { field.value(kept.text(name)) } else { field };
        match wrong.filter(|w| w.field == name) {
            Some(wrong) => field.error(&wrong.why),
            None => field,
        }
    };
    let known: Vec<String> = KNOWN.iter().map(|k| format!("`{}`", k.name)).collect();
    let hint = format!("Known by name, without a base URL: {}.", known.join(", "));
    let credentials = [
        Choice::new("sealed", "Here: it is sealed and never shown again"),
        Choice::new("env", "In its usual variable where the server runs")
            .hint("For the names above. Another variable or a file is named on the machine, with `bastide provider add`."),
        Choice::new("none", "It needs none"),
    ];
    let whose = std::iter::once(Choice::new("", "Every project"))
        .chain(projects.iter().map(|name| Choice::new(*name, *name)));
    let mut form = Form::post(Href::page("/console/providers"), &visit.csrf())
        .field(with(Field::text("name", "Name").hint(hint).required(), "name"))
        .field(with(
            Field::text("base_url", "Base URL")
                .hint("As an SDK takes it; it ends in `/v1` most often.")
                .mono(),
            "base_url",
        ))
        .field(with(
            Field::radios("credential", "Where its credential is", credentials).value("sealed"),
            "credential",
        ))
        .field(with(
            Field::password("credential_value", "Credential", "new-password").hint("Where it is kept here."),
            "credential_value",
        ))
        .field(with(Field::select("project", "For", whose), "project"));
    // Asked for only where it is about that.
    if wrong.is_some_and(|w| w.field == "plain_http") || kept.ticked("plain_http") {
        let consent = Field::checkbox(
            "plain_http",
            "Reach it over plain HTTP: prompts and answers cross the network in clear",
            kept.ticked("plain_http"),
        );
        form = form.field(match wrong.filter(|w| w.field == "plain_http") {
            Some(wrong) => consent.error(&wrong.why),
            None => consent,
        });
    }
    form.button(Button::new("Add the provider").primary())
}

fn wanted(visit: &Visit<'_>) -> Result<ProviderWanted, Wrong> {
    let form = &visit.form;
    let wrong = |field, why: &str| Wrong { field, why: why.to_owned() };
    let name = form.given("name").ok_or_else(|| wrong("name", "give it a name"))?.to_owned();
    let known = KNOWN.iter().find(|k| k.name == name);
    let base_url = match (form.given("base_url"), known) {
        (Some(url), _) => url.to_owned(),
        (None, Some(known)) => known.base_url.to_owned(),
        (None, None) => return Err(wrong("base_url", "this name is not known, so give its base URL")),
    };
    let credential = match form.text("credential") {
        "none" => CredentialGiven::None,
        "env" => match known.map(|k| k.variable) {
            Some(Some(variable)) => CredentialGiven::Env { name: variable.to_owned() },
            Some(None) => CredentialGiven::None,
            None => return Err(wrong("credential", "this name is not known, so it has no usual variable")),
        },
        _ => match form.given("credential_value") {
            Some(value) => CredentialGiven::Sealed { value: value.to_owned() },
            None => return Err(wrong("credential_value", "give the credential")),
        },
    };
    let project = form.given("project").map(str::to_owned);
    Ok(ProviderWanted { name, base_url, credential, plain_http: form.ticked("plain_http"), project })
}

fn refused(visit: &Visit<'_>, wrong: &Wrong) -> Result<Reply, Refusal> {
    Ok(Reply::page_with(StatusCode::UNPROCESSABLE_ENTITY, page(visit, Some(wrong))?.render()))
}

/// Which field a refusal is about.
fn field_of(message: &str) -> &'static str {
    if message.contains("agree to it") {
        "plain_http"
    } else if message.contains("variable") || message.contains("credential file") {
        "credential"
    } else if message.contains("credential holds") {
        "credential_value"
    } else if message.contains("there is no project") {
        "project"
    } else if message.contains("URL") || message.contains("://") || message.contains("address") {
        "base_url"
    } else {
        "name"
    }
}

pub(super) async fn add(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let wanted = match wanted(visit) {
        Ok(wanted) => wanted,
        Err(wrong) => return refused(visit, &wrong),
    };
    let name = wanted.name.clone();
    match visit.console.server.clone().execute(visit.authorized()?, Request::ProviderAdd(wanted)).await {
        Ok(done) => {
            Ok(visit
                .done(&here(), &Said::done(format!("`{name}` takes requests from now on; test it"), &done)))
        }
        Err(failure) => {
            let why = failure.message().replace("agree to it with `--plain-http`", "tick the box");
            refused(visit, &Wrong { field: field_of(failure.message()), why })
        }
    }
}

pub(super) async fn test(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let name = visit.segment();
    let probe = visit.admin().probe_provider(name).await?;
    let took = format::duration(probe.took);
    let said = match (&probe.failure, probe.models.as_slice()) {
        (Some(why), _) => Said::warning(format!("`{name}` did not pass after {took}: {why}")),
        (None, models) => {
            let some: Vec<&str> = models.iter().map(String::as_str).take(5).collect();
            let more = if models.len() > some.len() { ", …" } else { "" };
            Said::good(format!(
                "`{name}` answered in {took} with {} models: {}{more}",
                models.len(),
                some.join(", ")
            ))
        }
    };
    Ok(visit.done(&here(), &said))
}

pub(super) async fn remove(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let name = visit.segment().to_owned();
    let said = format!("`{name}` is removed");
    let done =
        visit.console.server.clone().execute(visit.authorized()?, Request::ProviderRemove { name }).await?;
    Ok(visit.done(&here(), &Said::done(said, &done)))
}

pub(super) async fn create_project(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let name = visit.form.text("project_name").to_owned();
    let said = format!("the project `{name}` is there");
    match visit.console.server.clone().execute(visit.authorized()?, Request::ProjectCreate { name }).await {
        Ok(done) => Ok(visit.done(&here(), &Said::done(said, &done))),
        Err(failure) => refused(visit, &Wrong { field: "project_name", why: failure.message().to_owned() }),
    }
}
