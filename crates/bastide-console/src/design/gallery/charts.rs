//! Figures and charts of the gallery.

use crate::design::{
    BarChart, Card, Columns, Flow, Gauge, Heatmap, Href, Html, LineChart, LineUp, Link, Section, Series,
    Sparkline, Stat, Tiles, Tone, Unit,
};

/// Numbers that go up and down like a day does, the same each time.
fn wave(points: u32, seed: u32, low: f64, high: f64) -> Vec<f64> {
    (0..points)
        .map(|point| {
            let day = (f64::from(point) / f64::from(points) * std::f64::consts::TAU - 1.6).sin() * 0.5 + 0.5;
            let mixed = (point * 37 + seed * 101).wrapping_mul(2_654_435_761).rotate_left(seed % 13);
            let noise = f64::from(mixed % 97) / 97.0;
            let drift = (f64::from(point + seed * 5) / 6.0).sin() * 0.5 + 0.5;
            (low + (high - low) * (0.5 * day + 0.28 * drift + 0.22 * noise)).round()
        })
        .collect()
}

fn hours() -> Vec<String> {
    (0..24).map(|hour| format!("{hour:02}:00")).collect()
}

pub(super) fn overview() -> Html {
    let spark = |name: &str, tone, seed| Sparkline::new(name, tone, wave(36, seed, 20.0, 90.0));
    let tiles = Tiles::new([
        Stat::new("Exchanges, 24 h", "48,211")
            .delta(Tone::Allow, "+6.2%")
            .trend(spark("Exchanges", Tone::Accent, 1))
            .href(Href::page("/console/exchanges")),
        Stat::new("Values replaced", "3,904").delta(Tone::Neutral, "±0%").trend(spark(
            "Replaced",
            Tone::Tokenise,
            2,
        )),
        Stat::new("Refused", "37").delta(Tone::Block, "+12").trend(spark("Refused", Tone::Block, 3)),
        Stat::new("Added by the gateway, p99", "2.4").unit("ms").delta(Tone::Allow, "−0.3 ms").trend(spark(
            "Added",
            Tone::Redact,
            4,
        )),
        Stat::new("Log", "1,204,551").unit("entries").delta(Tone::Allow, "verified").trend(spark(
            "Entries",
            Tone::Allow,
            5,
        )),
    ]);
    let bars = BarChart::new("Exchanges by verdict", hours())
        .series(Series::new("allow", Tone::Allow, wave(24, 1, 400.0, 2600.0)))
        .series(Series::new("tokenise", Tone::Tokenise, wave(24, 2, 40.0, 420.0)))
        .series(Series::new("redact", Tone::Redact, wave(24, 3, 20.0, 260.0)))
        .series(Series::new("block", Tone::Block, wave(24, 4, 0.0, 90.0)));
    let flow = [
        ("payments-assistant", "allow", Tone::Allow, "openai", 18_200.0),
        ("payments-assistant", "tokenise", Tone::Tokenise, "openai", 2900.0),
        ("support-desk", "allow", Tone::Allow, "anthropic", 12_400.0),
        ("support-desk", "redact", Tone::Redact, "anthropic", 1900.0),
        ("support-desk", "block", Tone::Block, "refused", 700.0),
        ("code-review", "allow", Tone::Allow, "local vLLM", 9300.0),
        ("code-review", "block", Tone::Block, "refused", 1100.0),
    ]
    .into_iter()
    .fold(Flow::new("From callers to providers"), |flow, (from, through, tone, to, amount)| {
        flow.link(from, (through, tone), to, amount)
    });
    let lines = LineChart::new("Time to first byte", hours())
        .unit(Unit::Millis)
        .series(Series::new("p50", Tone::Accent, wave(24, 5, 120.0, 260.0)))
        .series(Series::new("p95", Tone::Redact, wave(24, 6, 340.0, 620.0)))
        .series(Series::new("p99", Tone::Hold, wave(24, 7, 700.0, 1450.0)));
    let heat = ["EMAIL_ADDRESS", "IBAN_CODE", "SECRET", "PROMPT_INJECTION"].into_iter().zip(1u32..).fold(
        Heatmap::new("Findings by category and hour", Tone::Tokenise, hours()),
        |heat, (name, seed)| heat.row(name, wave(24, seed * 3, 0.0, 240.0 / f64::from(seed * seed))),
    );
    let all = Link::new(Href::page("/console/exchanges"), "All exchanges");
    Html::join([
        Html::from(tiles),
        Columns::new([
            Card::new("Traffic").end(all).body(bars).into(),
            Card::new("Latency").body(lines).into(),
        ])
        .into(),
        Columns::new([
            Card::new("Flow").note("Last 24 hours").body(flow).into(),
            Card::new("Findings").note("Last 24 hours").body(heat).into(),
        ])
        .into(),
    ])
}

pub(super) fn states() -> Html {
    let none: [f64; 0] = [];
    let edge = LineChart::new("One value, a gap, and one that is too large", hours())
        .series(Series::new("gap", Tone::Accent, [1.0, f64::NAN, 3.0, 2.0, f64::INFINITY, 5.0]))
        .series(Series::new("negative", Tone::Hold, [-4.0, -2.0]));
    let gauges = LineUp::new([
        Gauge::new("of the budget", Tone::Accent, 0.42).into(),
        Gauge::new("of requests inspected", Tone::Allow, 1.0).into(),
        Gauge::new("not known", Tone::Neutral, f64::NAN).into(),
    ]);
    Section::new("Charts without much to show")
        .body(Columns::new([
            Card::new("Empty")
                .body(BarChart::new("No values", hours()).series(Series::new("none", Tone::Allow, none)))
                .into(),
            Card::new("Odd values").body(edge).into(),
            Card::new("One bar")
                .body(BarChart::new("One bar", ["today"]).series(Series::new("all", Tone::Accent, [7.0])))
                .into(),
            Card::new("Gauges").body(gauges).into(),
        ]))
        .into()
}
