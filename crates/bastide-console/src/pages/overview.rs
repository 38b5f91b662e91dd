//! How it goes: figures of a span of time, and what was refused of late.

use std::collections::BTreeMap;
use std::time::Duration;

use bastide_admin::{ExchangeFilter, ExchangeRow, LogHealth};
use bastide_gateway::Slot;
use bastide_types::{GuardMode, Verdict};

use super::figures::{Figures, Span};
use super::rows;
use crate::design::{
    Badge, BarChart, Callout, Card, Column, Columns, Empty, Facts, Flow, Href, Html, LineChart, Link,
    Paragraph, Refresh, Row, Section, Series, Sparkline, Stat, Table, Tiles, Tone, Unit, format,
};
use crate::web::{Refusal, Reply, Visit};

/// The newest exchanges that the flow and the refused ones are taken from: what is read with every visit.
const NEWEST: usize = 500;
/// Ways through the gateway that are drawn.
const MOST_WAYS: usize = 16;
/// Models that are listed.
const MOST_MODELS: usize = 6;
/// Exchanges that were refused that are listed.
const MOST_REFUSED: usize = 5;
/// How often the tiles are asked for again, in seconds.
const AGAIN: u16 = 5;

pub(super) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let span = Span::named(visit.query.text("span"));
    let here = Href::page("/console").query("span", span.as_str());
    let Some(gateway) = &visit.admin().gateway else {
        return Err(Refusal::NotFound("nothing passes here: no gateway runs in this process".to_owned()));
    };
    let figures = span.figures(gateway.traffic(), visit.now());
    let log = visit.admin().log_health().await?;
    let tiles = tiles(&figures, &log);
    if visit.fragment {
        return Ok(Reply::page(tiles.into_string()));
    }
    let newest = visit.admin().exchanges(ExchangeFilter::default(), None, NEWEST).await?.rows;
    let page = visit.shell("Overview", &Href::page("/console")).tabs(span.tabs(&Href::page("/console")));
    if newest.is_empty() {
        let page = page.lead("What passes through this gateway.").body(nothing_yet(visit, &log));
        return Ok(visit.page(&page));
    }
    let mut page = page.lead(format!("What passed through this gateway in {}.", span.words()));
    let mode = visit.admin().gateway.as_ref().map(|gateway| gateway.guard().mode());
    if mode == Some(GuardMode::Observe) {
        let title = "The guard observes: verdicts say what would have been done";
        page = page.body(Callout::new(Tone::Flag, title).body(Paragraph::new("Nothing is replaced and nothing refused by the guard until its mode is `enforce`; policies decide as always.")));
    }
    let page = page
        .body(Refresh::new("Figures", here, AGAIN, tiles))
        .body(charts(&figures))
        .body(
            Columns::new([
                Card::new("Who went where")
                    .note(format!("The newest {}: key, verdict, provider.", exchanges(&newest)))
                    .body(flow(&newest))
                    .into(),
                log_card(&log).into(),
            ])
            .wide_first(),
        )
        .body(models(visit))
        .body(refused(&newest, visit))
        .body(Paragraph::new("Times are UTC. Exchanges are counted as they end; at the server's start those of before are read back out of the log: of 30 days, and of its newest 200,000 entries at most.").hush());
    Ok(visit.page(&page))
}

fn nothing_yet(visit: &Visit<'_>, log: &LogHealth) -> Html {
    let empty = Empty::new(
        "Nothing has passed yet",
        "Point an application at this gateway, or send a first request from here. What passes is counted, guarded and recorded from the first one on.",
    );
    Html::from(super::with_first_steps(visit, empty)).then(log_card(log))
}

fn tiles(figures: &Figures, log: &LogHealth) -> Html {
    let count = |name: &'static str, tone: Tone, href: Href, number: fn(&Slot) -> f64| {
        let stat = Stat::new(name, format::short(number(&figures.sum)))
            .trend(Sparkline::new(name, tone, figures.each(number)))
            .href(href);
        match figures.change(number) {
            None => stat,
            Some((ratio, words)) => stat.delta(judge(ratio, tone), words),
        }
    };
    let exchanges = || Href::page("/console/exchanges");
    let p99 = |slot: &Slot| slot.own.quantile(990);
    let mut own = Stat::new("Own time, p99", p99(&figures.sum).map_or("–".to_owned(), format::duration))
        .trend(Sparkline::new("Own time, p99", Tone::Accent, figures.millis(p99)))
        .href(Href::page("/console/system"));
    if let Some((ratio, words)) = figures.change(|slot| p99(slot).map_or(0.0, |t| t.as_secs_f64())) {
        own = own.delta(judge(ratio, Tone::Flag), words);
    }
    let health = match &log.failure {
        None => Stat::new("Log entries", format::count(log.entries)).delta(Tone::Allow, "✓ recording"),
        Some(_) => Stat::new("Log entries", format::count(log.entries)).delta(Tone::Block, "✗ failing"),
    };
    let passed = Tiles::new([
        count("Exchanges", Tone::Accent, exchanges(), |s| f64::from(s.exchanges)),
        count("With values replaced", Tone::Tokenise, exchanges().query("only", "findings"), |s| {
            f64::from(s.judged(Verdict::Tokenise)) + f64::from(s.judged(Verdict::Redact))
        }),
        count("Refused", Tone::Block, exchanges().query("verdict", "block"), |s| f64::from(s.blocked())),
        count("Errors", Tone::Hold, exchanges(), |s| f64::from(s.failed())),
    ]);
    let cost = Tiles::new([
        own,
        count("Tokens in", Tone::Neutral, Href::page("/console/models"), |s| s.input_tokens as f64),
        count("Tokens out", Tone::Neutral, Href::page("/console/models"), |s| s.output_tokens as f64),
        health.href(Href::page("/console/log")),
    ]);
    Section::new("").body(passed).body(cost).into()
}

/// Whether a change is good: more refusals or errors are worth a look, more exchanges are neither.
fn judge(ratio: f64, tone: Tone) -> Tone {
    match tone {
        Tone::Block | Tone::Hold | Tone::Flag if ratio > 0.0 => Tone::Flag,
        Tone::Block | Tone::Hold | Tone::Flag if ratio < 0.0 => Tone::Allow,
        _ => Tone::Neutral,
    }
}

fn charts(figures: &Figures) -> Html {
    let by = |name: &'static str, tone, verdicts: &'static [Verdict]| {
        let number = move |s: &Slot| verdicts.iter().map(|v| f64::from(s.judged(*v))).sum::<f64>();
        (number(&figures.sum) > 0.0).then(|| Series::new(name, tone, figures.each(number)))
    };
    let series = [
        by("allow", Tone::Allow, &[Verdict::Allow]),
        by("flag", Tone::Flag, &[Verdict::Flag]),
        by("tokenise, redact", Tone::Tokenise, &[Verdict::Tokenise, Verdict::Redact]),
        by("block, hold", Tone::Block, &[Verdict::Block, Verdict::Hold]),
    ];
    let traffic = series
        .into_iter()
        .flatten()
        .fold(BarChart::new("Exchanges by verdict", figures.names()), BarChart::series);
    let times = |title: &'static str, of: fn(&Slot, u32) -> Option<Duration>| {
        LineChart::new(title, figures.names())
            .unit(Unit::Millis)
            .series(Series::new("p50", Tone::Accent, figures.millis(move |s| of(s, 500))))
            .series(Series::new("p99", Tone::Hold, figures.millis(move |s| of(s, 990))))
    };
    let total = times("Time until the end", |s, q| s.total.quantile(q));
    let own = times("Own time: what bastide adds", |s, q| s.own.quantile(q));
    Html::from(Columns::new([Card::new("").body(traffic).into(), Card::new("").body(total).into()])).then(
        Columns::new([
            Card::new("").body(figures.findings_map("Findings by category")).into(),
            Card::new("").body(own).into(),
        ]),
    )
}

fn flow(newest: &[ExchangeRow]) -> Flow {
    let mut ways: BTreeMap<(String, Verdict, String), u32> = BTreeMap::new();
    for row in newest {
        let key = row.key.as_ref().map_or_else(|| "unknown".to_owned(), |key| rows::short(&key.name));
        let to = match (&row.outcome, row.request.sent) {
            (Some(outcome), true) => outcome.upstream.clone(),
            (None, true) => row.request.upstream.clone(),
            (_, false) => "not sent".to_owned(),
        };
        *ways.entry((key, row.verdict(), to)).or_default() += 1;
    }
    let mut ways: Vec<_> = ways.into_iter().collect();
    ways.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    ways.into_iter().take(MOST_WAYS).fold(Flow::new("Key, verdict, provider"), |flow, way| {
        let ((key, verdict, to), count) = way;
        flow.link(key, (verdict.as_str(), verdict.into()), to, f64::from(count))
    })
}

fn models(visit: &Visit<'_>) -> Card {
    let gateway = visit.admin().gateway.as_ref();
    let used = gateway.map(|g| g.traffic().models(visit.now())).unwrap_or_default();
    let columns = [
        Column::text("Model"),
        Column::number("Exchanges"),
        Column::number("Refused"),
        Column::number("Tokens in → out"),
    ];
    let rows = used.iter().take(MOST_MODELS).map(|(name, used)| {
        let number = |n| Html::from(format::short(n as f64));
        let row = Row::new([
            rows::short(name).into(),
            number(used.exchanges),
            number(used.blocked),
            format!(
                "{} → {}",
                format::short(used.input_tokens as f64),
                format::short(used.output_tokens as f64)
            )
            .into(),
        ]);
        row.href(Href::page("/console/exchanges").query("model", name))
    });
    let table = Table::new("Models today", columns)
        .rows(rows)
        .empty(Empty::new("No exchange today", "The day begins at midnight, UTC."));
    Card::new("Models today").note("Tokens as the providers count them.").flush().body(table)
}

fn log_card(log: &LogHealth) -> Card {
    let state = match &log.failure {
        None => Badge::new(Tone::Allow, "recording"),
        Some(_) => Badge::new(Tone::Block, "failing"),
    };
    let waits = log.entries.saturating_sub(log.published);
    let micros = |n| format::duration(Duration::from_micros(n));
    let facts = Facts::new()
        .fact("Entries", format::count(log.entries))
        .fact("Not yet under a checkpoint", format::count(waits))
        .fact(
            "Commit, p50 / p99",
            match log.commits {
                0 => Html::new(),
                _ => format!("{} / {}", micros(log.commit_p50_micros), micros(log.commit_p99_micros)).into(),
            },
        );
    let card = Card::new("Log").end(state);
    let card = match &log.failure {
        None => card,
        Some(why) => card.body(Callout::new(Tone::Block, "The log does not record").body(Html::from(why))),
    };
    card.body(facts).body(Link::new(Href::page("/console/log"), "Entries and proofs"))
}

fn exchanges(rows: &[ExchangeRow]) -> String {
    format::counted(rows.len() as u64, "exchange")
}

fn refused(newest: &[ExchangeRow], visit: &Visit<'_>) -> Card {
    let refused = newest.iter().filter(|row| row.verdict() == Verdict::Block).take(MOST_REFUSED);
    let table = Table::new("Refused of late", rows::columns())
        .rows(refused.map(|row| rows::row(row, visit.now())))
        .empty(Empty::new("Nothing was refused", format!("None of the newest {}.", exchanges(newest))));
    let all = Href::page("/console/exchanges").query("verdict", "block");
    Card::new("Refused of late").end(Link::new(all, "All")).flush().body(table)
}
