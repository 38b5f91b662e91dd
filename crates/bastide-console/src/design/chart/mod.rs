//! Charts: from numbers to SVG, drawn here and nowhere else. Every chart has a table twin that says the same.
//!
//! Lengths across are percentages and lengths down are pixels: a chart is as wide as its place and its words keep their
//! size. Values are bounded and finite before anything is drawn.

mod bars;
mod flow;
mod gauge;
mod heat;
mod lines;
mod scale;
mod spark;

use askama::Template;

pub use bars::BarChart;
pub use flow::Flow;
pub use gauge::Gauge;
pub use heat::Heatmap;
pub use lines::LineChart;
pub use spark::Sparkline;

use crate::design::html::component;
use crate::design::{Html, Text, Tone, format};

/// The most points of one series; of a longer one the last are drawn.
pub const MAX_POINTS: usize = 400;
/// The most series of one chart; further ones are left out.
pub const MAX_SERIES: usize = 12;

/// The most bars that are named one by one.
const MAX_NAMED_SLOTS: usize = 7;

/// What the numbers of a chart are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    #[default]
    Count,
    /// Milliseconds.
    Millis,
    /// Parts of one.
    Ratio,
    /// Bytes.
    Bytes,
    /// US dollars.
    Dollars,
}

impl Unit {
    /// A value in words: `1.2k`, `34 ms`, `12%`.
    #[must_use]
    pub fn words(self, value: f64) -> String {
        match self {
            _ if !value.is_finite() => "–".to_owned(),
            Unit::Count => format::short(value),
            Unit::Millis if value.abs() >= 1000.0 => format!("{} s", format::short(value / 1000.0)),
            Unit::Millis => format!("{} ms", format::short(value)),
            Unit::Ratio => format::percent(value),
            Unit::Bytes if value >= 0.0 => format::bytes_of(value),
            Unit::Bytes => format!("-{}", format::bytes_of(-value)),
            Unit::Dollars => format!("${}", format::short(value)),
        }
    }
}

/// Values in one tone, one for each point of the axis. What is not finite was not measured.
#[derive(Clone, Debug)]
pub struct Series {
    name: Text,
    tone: Tone,
    values: Vec<f64>,
}

impl Series {
    /// A series.
    #[must_use]
    pub fn new(name: impl Into<Text>, tone: Tone, values: impl IntoIterator<Item = f64>) -> Self {
        Series { name: name.into(), tone, values: values.into_iter().map(scale::bounded).collect() }
    }

    fn at(&self, point: usize) -> Option<f64> {
        self.values.get(point).copied().filter(|value| value.is_finite())
    }
}

/// What bars and lines have in common.
#[derive(Clone, Debug)]
struct Plot {
    title: Text,
    unit: Unit,
    points: Vec<Text>,
    series: Vec<Series>,
}

impl Plot {
    fn new(title: Text, points: impl IntoIterator<Item = impl Into<Text>>) -> Self {
        let all: Vec<Text> = points.into_iter().map(Into::into).collect();
        let points = all.get(all.len().saturating_sub(MAX_POINTS)..).unwrap_or_default().to_vec();
        Plot { title, unit: Unit::Count, points, series: Vec::new() }
    }

    fn push(&mut self, mut series: Series) {
        let surplus = series.values.len().saturating_sub(self.points.len().min(MAX_POINTS));
        series.values.drain(..surplus);
        if self.series.len() < MAX_SERIES {
            self.series.push(series);
        }
    }

    fn is_empty(&self) -> bool {
        self.points.is_empty() || !self.series.iter().any(|s| s.values.iter().any(|value| value.is_finite()))
    }

    /// The legend, the drawing, and the table.
    fn figure(&self, svg: String) -> Html {
        let mut table =
            TwinTable::new(["".into()].into_iter().chain(self.series.iter().map(|s| s.name.clone())));
        for (point, name) in self.points.iter().enumerate() {
            let words =
                |s: &Series| s.at(point).map_or_else(|| "–".to_owned(), |value| self.unit.words(value));
            table.row([name.clone()].into_iter().chain(self.series.iter().map(|s| words(s).into())));
        }
        Figure {
            title: self.title.clone(),
            legend: self.series.iter().map(|s| (s.tone, s.name.clone())).collect(),
            empty: self.is_empty(),
            svg: Html::raw(svg),
            table,
        }
        .into()
    }

    /// Names of the points below the drawing, which begins at `left`: of the first, the middle and the last.
    fn point_names(&self, y: f64, left: f64) -> String {
        let last = self.points.len().saturating_sub(1);
        let mut places = match last {
            0 => vec![(0, "middle", (left + 100.0) / 2.0)],
            _ => vec![(0, "start", left)],
        };
        if last >= 2 {
            places.push((last / 2, "middle", (left + 100.0) / 2.0));
        }
        if last >= 1 {
            places.push((last, "end", 100.0));
        }
        places.into_iter().map(|(point, anchor, x)| self.point_name(point, anchor, x, y)).collect()
    }

    /// Names below slots of equal width: of each where they are few, else as above.
    fn slot_names(&self, y: f64, left: f64) -> String {
        let slots = self.points.len();
        if slots > MAX_NAMED_SLOTS {
            return self.point_names(y, left);
        }
        let middle = |slot: usize| left + (slot as f64 + 0.5) * (100.0 - left) / slots as f64;
        (0..slots).map(|slot| self.point_name(slot, "middle", middle(slot), y)).collect()
    }

    fn point_name(&self, point: usize, anchor: &str, x: f64, y: f64) -> String {
        let name = self.points.get(point).map(crate::design::html::escaped).unwrap_or_default();
        format!(r#"<text class="axis" x="{}%" y="{y}" text-anchor="{anchor}">{name}</text>"#, number(x))
    }
}

/// The lines of a scale; the marks stand on them.
fn grid(scale: &scale::Scale, height: f64) -> String {
    let line = |value| {
        let y = number(scale.y(value, height));
        format!(r#"<line class="grid" x1="0" x2="100%" y1="{y}" y2="{y}"/>"#)
    };
    scale.ticks().into_iter().map(line).collect()
}

/// The values of a scale, above its lines at the start and above the marks.
fn grid_words(scale: &scale::Scale, unit: Unit, height: f64) -> String {
    let words = |value| {
        let y = number(scale.y(value, height) - 4.0);
        format!(r#"<text class="axis" x="0" y="{y}">{}</text>"#, unit.words(value))
    };
    scale.ticks().into_iter().filter(|value| *value != 0.0).map(words).collect()
}

/// A coordinate with at most two places.
fn number(value: f64) -> String {
    let shown = format!("{value:.2}");
    let shown = shown.trim_end_matches('0').trim_end_matches('.');
    if shown == "-0" { "0".to_owned() } else { shown.to_owned() }
}

/// The opening of a drawing, with its name and what it shows for readers that speak.
fn open(class: &str, height: f64, title: &Text, description: &str) -> String {
    let (title, description) =
        (crate::design::html::escaped(title), crate::design::html::escaped(&description.into()));
    let height = number(height);
    format!(
        r#"<svg class="{class}" width="100%" height="{height}" role="img" aria-label="{title}"><title>{title}</title><desc>{description}</desc>"#
    )
}

/// The table that says what a drawing shows.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<details class="twin"><summary>Table</summary><div class="table-scroll" tabindex="0" role="region" aria-label="Table"><table class="table plain"><thead><tr>{% for head in heads %}<th scope="col"{% if self.is_number(loop.index0) %} class="num"{% endif %}>{{ head }}</th>{% endfor %}</tr></thead><tbody>{% for row in rows %}<tr>{% for cell in row %}{% if loop.first %}<th scope="row">{{ cell }}</th>{% else %}<td{% if self.is_number(loop.index0) %} class="num"{% endif %}>{{ cell }}</td>{% endif %}{% endfor %}</tr>{% endfor %}</tbody></table></div></details>"#,
    ext = "html"
)]
struct TwinTable {
    /// How many columns stand before the numbers.
    names: usize,
    heads: Vec<Text>,
    rows: Vec<Vec<Text>>,
}

impl TwinTable {
    fn new(heads: impl IntoIterator<Item = Text>) -> Self {
        TwinTable { names: 1, heads: heads.into_iter().collect(), rows: Vec::new() }
    }

    fn is_number(&self, column: &usize) -> bool {
        *column >= self.names
    }

    fn row(&mut self, cells: impl IntoIterator<Item = Text>) {
        self.rows.push(cells.into_iter().collect());
    }
}

/// A drawing with its legend and its table.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<figure class="chart"><figcaption class="chart-head"><span class="chart-title">{{ title }}</span>{% if legend.len() > 1 %}<ul class="legend">{% for (tone, name) in legend %}<li><span class="swatch {{ tone.class() }}"></span>{{ name }}</li>{% endfor %}</ul>{% endif %}</figcaption>{% if empty %}<p class="chart-empty">Nothing in this time</p>{% else %}{{ svg }}{{ table }}{% endif %}</figure>"#,
    ext = "html"
)]
struct Figure {
    title: Text,
    legend: Vec<(Tone, Text)>,
    empty: bool,
    svg: Html,
    table: TwinTable,
}

component!(TwinTable, Figure);
