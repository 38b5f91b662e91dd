//! How much, by two things at once.

use super::scale::bounded;
use super::{Figure, TwinTable, Unit, number, open};
use crate::design::{Html, Text, Tone, html};

/// The most rows and the most columns.
const MAX_SIDE: usize = 60;
const CELL: f64 = 22.0;
const LABELS: f64 = 18.0;

/// Cells that are the darker the more there is.
#[derive(Clone, Debug)]
pub struct Heatmap {
    title: Text,
    tone: Tone,
    unit: Unit,
    columns: Vec<Text>,
    rows: Vec<(Text, Vec<f64>)>,
}

impl Heatmap {
    /// A map with these columns.
    #[must_use]
    pub fn new(
        title: impl Into<Text>,
        tone: Tone,
        columns: impl IntoIterator<Item = impl Into<Text>>,
    ) -> Self {
        let columns = columns.into_iter().take(MAX_SIDE).map(Into::into).collect();
        Heatmap { title: title.into(), tone, unit: Unit::Count, columns, rows: Vec::new() }
    }

    /// What the numbers are.
    #[must_use]
    pub fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// One more row, with a value for each column.
    #[must_use]
    pub fn row(mut self, name: impl Into<Text>, values: impl IntoIterator<Item = f64>) -> Self {
        if self.rows.len() < MAX_SIDE {
            let values = values.into_iter().take(self.columns.len()).map(bounded).collect();
            self.rows.push((name.into(), values));
        }
        self
    }

    fn svg(&self) -> String {
        let values = || self.rows.iter().flat_map(|(_, values)| values.iter().copied());
        let most = values().filter(|value| value.is_finite()).fold(0.0, f64::max);
        let height = CELL * self.rows.len() as f64 + LABELS;
        let describe =
            format!("{} by {}, at most {}", self.rows.len(), self.columns.len(), self.unit.words(most));
        let mut svg = open("plot heat", height, &self.title, &describe);
        // Names stand before the cells, in as much as the longest needs at the least width that the style gives.
        let longest =
            self.rows.iter().map(|(name, _)| name.as_str().chars().count()).max().unwrap_or_default();
        let left = (longest as f64 * 1.6 + 2.0).clamp(8.0, 40.0);
        let width = (100.0 - left) / self.columns.len().max(1) as f64;
        for (nth, (name, values)) in self.rows.iter().enumerate() {
            let y = CELL * nth as f64;
            let middle = number(y + CELL / 2.0 + 3.0);
            svg.push_str(&format!(r#"<text class="axis" x="0" y="{middle}">{}</text>"#, html::escaped(name)));
            svg.push_str(&format!(
                r#"<rect class="cell" x="{x}%" y="{y}" width="{width}%" height="{cell}"/>"#,
                x = number(left),
                y = number(y + 1.0),
                width = number(100.0 - left),
                cell = number(CELL - 2.0),
            ));
            for (column, value) in values.iter().enumerate() {
                let part = if most > 0.0 && value.is_finite() { (value / most).clamp(0.0, 1.0) } else { 0.0 };
                let place = format!(
                    r#"x="{x}%" y="{y}" width="{width}%" height="{cell}""#,
                    x = number(left + width * column as f64),
                    y = number(y + 1.0),
                    width = number(width * 0.94),
                    cell = number(CELL - 2.0),
                );
                if part <= 0.0 {
                    // Nothing at all is the bare track.
                    continue;
                }
                // The root shows small numbers that a straight scale would hide.
                svg.push_str(&format!(
                    r#"<rect class="{class}" {place} opacity="{opacity}"><title>{name}, {column}: {words}</title></rect>"#,
                    class = self.tone.class(),
                    opacity = number(0.12 + 0.88 * part.sqrt()),
                    name = html::escaped(name),
                    column = self.columns.get(column).map(html::escaped).unwrap_or_default(),
                    words = self.unit.words(*value),
                ));
            }
        }
        for (column, anchor) in [(0, "start"), (self.columns.len().saturating_sub(1), "end")] {
            let x = if column == 0 { left } else { 100.0 };
            let name = self.columns.get(column).map(html::escaped).unwrap_or_default();
            let y = number(height - 4.0);
            svg.push_str(&format!(
                r#"<text class="axis" x="{x}%" y="{y}" text-anchor="{anchor}">{name}</text>"#
            ));
        }
        svg + "</svg>"
    }
}

impl From<Heatmap> for Html {
    fn from(map: Heatmap) -> Self {
        let mut table = TwinTable::new([Text::default()].into_iter().chain(map.columns.iter().cloned()));
        for (name, values) in &map.rows {
            table.row(
                [name.clone()].into_iter().chain(values.iter().map(|value| map.unit.words(*value).into())),
            );
        }
        let empty = map.rows.is_empty() || map.columns.is_empty();
        Figure {
            title: map.title.clone(),
            legend: Vec::new(),
            empty,
            svg: Html::raw(format!(r#"<div class="chart-scroll">{}</div>"#, map.svg())),
            table,
        }
        .into()
    }
}
