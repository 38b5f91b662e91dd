//! Exchanges, the newest first, and the search for some of them.

use bastide_admin::{ExchangeFilter, ExchangePage};
use bastide_types::{Category, ExchangeId, KeyId, Verdict};

use super::rows;
use crate::design::{Choice, Empty, Field, Filters, Href, Link, Pages, Table, format};
use crate::web::{Fields, Refusal, Reply, Visit};

/// Rows of a page.
const ROWS: usize = 40;
/// Keys that can be chosen from.
const MOST_KEYS: usize = 100;
/// The longest model name that is asked for.
const MOST_MODEL: usize = 200;

pub(super) async fn list(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let here = Href::page("/console/exchanges");
    if let Some(id) = visit.query.given("id") {
        return match id.parse::<ExchangeId>() {
            Ok(id) => Ok(Reply::see_other(rows::page(&id.to_string()).as_str())),
            Err(error) => Err(Refusal::Malformed(format!(
                "{error}; an exchange's id is in the `bastide-exchange` header of its answer"
            ))),
        };
    }
    let filter = filter(&visit.query)?;
    let before = visit.query.number("before").map_err(Refusal::Malformed)?;
    let found = visit.admin().exchanges(filter.clone(), before, ROWS).await?;
    let page = visit.shell("Exchanges", &here).lead("Requests and their answers, as the log has them.");
    let page = match before {
        Some(_) => page.action(Link::button(with(&visit.query, None), "Newest")),
        None => page,
    };
    let table = Table::new("Exchanges", rows::columns())
        .rows(found.rows.iter().map(|row| rows::row(row, visit.now())))
        .empty(empty(visit, &filter, &found))
        .pages(pages(visit, &found));
    let page = page.body(filters(visit, &filter)?).body(table);
    // A search that stopped before its page was full goes on from here, with rows or without.
    let page = match (found.rows.is_empty(), found.next) {
        (true, Some(next)) => {
            page.body(Link::button(with(&visit.query, Some(next)), "Search on, further back").primary())
        }
        _ => page,
    };
    Ok(visit.page(&page))
}

/// What the query asks for.
fn filter(query: &Fields) -> Result<ExchangeFilter, Refusal> {
    fn read<T: std::str::FromStr<Err: std::fmt::Display>>(
        query: &Fields,
        name: &str,
    ) -> Result<Option<T>, Refusal> {
        let read = query.given(name).map(|text| text.parse().map_err(|e: T::Err| e.to_string()));
        read.transpose().map_err(Refusal::Malformed)
    }
    let model: Option<String> = read(query, "model")?;
    if model.as_ref().is_some_and(|m| m.len() > MOST_MODEL) {
        return Err(Refusal::Malformed(format!("ask for a model of at most {MOST_MODEL} bytes")));
    }
    Ok(ExchangeFilter {
        verdict: read::<Verdict>(query, "verdict")?,
        category: read::<Category>(query, "category")?,
        model,
        key: read::<KeyId>(query, "key")?,
        denied: query.text("only") == "denied",
        with_findings: query.text("only") == "findings",
    })
}

/// This list, going on before an entry; `None`: from the newest.
fn with(query: &Fields, before: Option<u64>) -> Href {
    let mut href = Href::page("/console/exchanges");
    for name in ["verdict", "category", "model", "key", "only"] {
        if let Some(value) = query.given(name) {
            href = href.query(name, value);
        }
    }
    match before {
        Some(index) => href.query("before", &index.to_string()),
        None => href,
    }
}

fn filters(visit: &Visit<'_>, filter: &ExchangeFilter) -> Result<Filters, Refusal> {
    let any = |words: &'static str| [Choice::new("", words)].into_iter();
    let verdicts = Verdict::ALL.iter().map(|v| Choice::new(v.as_str(), v.as_str()));
    let categories = Category::ALL.iter().map(|c| Choice::new(c.as_str(), c.as_str()));
    let keys = visit.admin().keys_by_name()?;
    let keys = keys.into_iter().take(MOST_KEYS).map(|key| Choice::new(key.id, rows::short(&key.name)));
    let only = [Choice::new("findings", "with findings"), Choice::new("denied", "refused by a policy")];
    let text = |name: &str| visit.query.text(name).to_owned();
    let here = Href::page("/console/exchanges");
    let filters = Filters::new(here.clone())
        .field(Field::select("verdict", "Verdict", any("any").chain(verdicts)).value(text("verdict")))
        .field(Field::select("category", "Finding", any("any").chain(categories)).value(text("category")))
        .field(Field::select("key", "Key", any("any").chain(keys)).value(text("key")))
        .field(Field::select("only", "Only", any("all").chain(only)).value(text("only")))
        .field(Field::text("model", "Model").value(text("model")))
        .field(Field::search("id", "Exchange id").placeholder("exc_…").mono());
    Ok(if filter.is_empty() { filters } else { filters.clear(here) })
}

fn pages(visit: &Visit<'_>, found: &ExchangePage) -> Pages {
    let note = match (found.next, found.searched_to) {
        (Some(_), Some(to)) if found.rows.len() < ROWS => {
            format!("{} found, searched back to {}; the next page goes on", found.rows.len(), format::utc(to))
        }
        (_, Some(to)) => {
            let found = format::counted(found.rows.len() as u64, "exchange");
            format!("{found}, back to {}", format::utc(to))
        }
        (_, None) => String::new(),
    };
    Pages { previous: None, next: found.next.map(|next| with(&visit.query, Some(next))), note: note.into() }
}

fn empty(visit: &Visit<'_>, filter: &ExchangeFilter, found: &ExchangePage) -> Empty {
    match (filter.is_empty(), found.next, found.searched_to) {
        (false, Some(_), Some(to)) => Empty::new(
            "None so far",
            format!(
                "Searched back to {}. A search looks at a bounded piece of the log at a time.",
                format::utc(to)
            ),
        ),
        (false, ..) => Empty::new("None like that", "The whole log was searched."),
        (true, ..) => {
            let none = Empty::new(
                "No exchanges yet",
                "Every request through this gateway comes here, with its verdict.",
            );
            super::with_first_steps(visit, none)
        }
    }
}
