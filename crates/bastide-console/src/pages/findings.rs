//! What was found, by category and time, and where it came from.

use std::collections::BTreeMap;

use bastide_admin::{ExchangeFilter, ExchangeRow};
use bastide_types::Category;

use super::figures::{Figures, Span};
use super::{rows, taxonomy};
use crate::design::{
    Callout, Card, Chip, Column, Columns, Empty, Href, Html, LineUp, Link, Paragraph, Row, Sparkline, Stat,
    Table, Tiles, Tone, format,
};
use crate::web::{Refusal, Reply, Visit};

/// The newest exchanges that detectors, origins and verdicts are counted over.
const NEWEST: usize = 1_000;
/// The most that one reading gives.
const PIECE: usize = 500;
/// Rows of a count.
const MOST_NAMES: usize = 10;
/// Exchanges that are listed.
const ROWS: usize = 12;

pub(super) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let span = Span::named(visit.query.text("span"));
    let here = Href::page("/console/findings");
    let asked = visit.query.given("category").map(str::parse::<Category>).transpose();
    let category = asked.map_err(|e| Refusal::Malformed(e.to_string()))?;
    let Some(gateway) = &visit.admin().gateway else {
        return Err(Refusal::NotFound("nothing passes here: no gateway runs in this process".to_owned()));
    };
    let figures = span.figures(gateway.traffic(), visit.now());
    let newest = newest(visit).await?;
    let filter = ExchangeFilter { category, with_findings: true, ..ExchangeFilter::default() };
    let latest = visit.admin().exchanges(filter, None, ROWS).await?;
    let tabs = match category {
        Some(category) => span.tabs(&here.clone().query("category", category.as_str())),
        None => span.tabs(&here),
    };
    let page = visit
        .shell("Findings", &here)
        .lead(format!("What the guard found in requests and answers in {}.", span.words()))
        .tabs(tabs);
    let page = match newest.is_empty() {
        true => page.body(super::with_first_steps(
            visit,
            Empty::new(
                "Nothing was looked at yet",
                "What the guard finds in requests and answers comes here.",
            ),
        )),
        false => page
            .body(tiles(&figures))
            .body(Card::new("").body(figures.findings_map("Findings by category and time")))
            .body(categories(&figures, span)),
    };
    let page = page.body(counted(&newest)).body(list(visit, &latest.rows, category, latest.next.is_some()));
    Ok(visit.page(&page))
}

async fn newest(visit: &Visit<'_>) -> Result<Vec<ExchangeRow>, Refusal> {
    let mut rows: Vec<ExchangeRow> = Vec::new();
    let mut before = None;
    while rows.len() < NEWEST {
        let page = visit.admin().exchanges(ExchangeFilter::default(), before, PIECE).await?;
        rows.extend(page.rows);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    Ok(rows)
}

fn tiles(figures: &Figures) -> Tiles {
    let found = figures.found();
    let of =
        |slot: &bastide_gateway::Slot| Category::ALL.iter().map(|c| f64::from(slot.found(*c))).sum::<f64>();
    let mut all = Stat::new("Findings", format::short(of(&figures.sum))).trend(Sparkline::new(
        "Findings",
        Tone::Hold,
        figures.each(of),
    ));
    if let Some((_, words)) = figures.change(of) {
        all = all.delta(Tone::Neutral, words);
    }
    let stats = found.iter().take(5).map(|(category, count)| {
        let number = |slot: &bastide_gateway::Slot| f64::from(slot.found(*category));
        let tone = rows::tone_of(category.as_str());
        let stat = Stat::new(category.as_str(), format::short(f64::from(*count)))
            .trend(Sparkline::new(category.as_str(), tone, figures.each(number)))
            .href(Href::page("/console/findings").query("category", category.as_str()));
        match figures.change(number) {
            Some((_, words)) => stat.delta(Tone::Neutral, words),
            None => stat,
        }
    });
    Tiles::new([all].into_iter().chain(stats))
}

fn categories(figures: &Figures, span: Span) -> Card {
    let columns = [
        Column::text("Category"),
        Column::number("Found"),
        Column::text("OWASP LLM"),
        Column::text("ATLAS"),
        Column::text("CWE"),
    ];
    // Tokens of our own that callers send are in no list, and rarely there.
    let listed = Category::ALL.iter().filter(|category| {
        !taxonomy::known(**category).owasp.is_empty() || figures.sum.found(**category) > 0
    });
    let rows = listed.map(|category| {
        let known = taxonomy::known(*category);
        let href = Href::page("/console/findings").query("category", category.as_str());
        Row::new([
            category.as_str().into(),
            format::count(u64::from(figures.sum.found(*category))).into(),
            known.owasp.into(),
            known.atlas.into(),
            known.cwe.into(),
        ])
        .href(href.query("span", span.as_str()))
    });
    Card::new("By category")
        .note("With their names in OWASP's list for LLM applications (2025), MITRE ATLAS and CWE.")
        .flush()
        .body(Table::new("By category", columns).rows(rows))
}

/// The newest exchanges' findings by who found them, who wrote them, and what was done.
fn counted(newest: &[ExchangeRow]) -> Html {
    let mut counts: [BTreeMap<&str, u64>; 3] = Default::default();
    for found in newest.iter().flat_map(ExchangeRow::findings) {
        let names: [&str; 3] = [&found.detector, &found.origin, &found.verdict];
        for (counts, name) in counts.iter_mut().zip(names) {
            *counts.entry(name).or_default() += 1;
        }
    }
    let note = format!("Of the newest {}.", format::counted(newest.len() as u64, "exchange"));
    let cards = ["By detector", "By who wrote it", "By what was done"].into_iter().zip(counts).map(
        |(title, counts)| {
            let mut counts: Vec<(&str, u64)> = counts.into_iter().collect();
            counts.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
            let rows = counts
                .iter()
                .take(MOST_NAMES)
                .map(|(name, count)| Row::new([name.replace('_', " ").into(), format::count(*count).into()]));
            let table = Table::new(title, [Column::text("Name"), Column::number("Findings")])
                .rows(rows)
                .empty(Empty::new("None", ""));
            Card::new(title).note(note.clone()).flush().body(table).into()
        },
    );
    Columns::new(cards).into()
}

fn list(visit: &Visit<'_>, latest: &[ExchangeRow], category: Option<Category>, more: bool) -> Html {
    let now = visit.now();
    let mut all = Href::page("/console/exchanges").query("only", "findings");
    if let Some(category) = category {
        all = all.query("category", category.as_str());
    }
    let table = Table::new("Latest exchanges with findings", rows::columns())
        .rows(latest.iter().map(|row| rows::row(row, now)))
        .empty(Empty::new(
            "None",
            if more { "None in the piece of the log that was searched." } else { "None in the whole log." },
        ));
    let card = Card::new(match category {
        Some(_) => "Latest exchanges with this finding",
        None => "Latest exchanges with findings",
    });
    let card = card.end(Link::new(all, "All")).flush().body(table);
    match category {
        None => card.into(),
        Some(category) => {
            let known = taxonomy::known(category);
            let chips = [known.owasp, known.atlas, known.cwe].into_iter().filter(|id| !id.is_empty());
            let chips = LineUp::new(chips.map(|id| Chip::new(Tone::Neutral, id).into()));
            let rule = Link::new(Href::page("/console/guard"), "What the guard does about it");
            let clear = Link::new(Href::page("/console/findings"), "All categories");
            let callout = Callout::new(Tone::Accent, format!("`{category}` only"))
                .body(chips)
                .body(Paragraph::new(Html::from(rule).then(" · ").then(clear)));
            Html::from(callout).then(card)
        }
    }
}
