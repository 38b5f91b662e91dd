//! Bars, stacked by series.

use super::scale::Scale;
use super::{Plot, Series, Unit, grid, grid_words, number, open};
use crate::design::{Html, Text, html};

const HEIGHT: f64 = 180.0;
const FOOT: f64 = 22.0;
/// Where bars begin, in percent: they would cover the words of the lines.
const LEFT: f64 = 9.0;

/// One bar for each point, stacked by series; what is negative counts as nothing.
#[derive(Clone, Debug)]
pub struct BarChart(Plot);

impl BarChart {
    /// A chart over these points: hours, days, names.
    #[must_use]
    pub fn new(title: impl Into<Text>, points: impl IntoIterator<Item = impl Into<Text>>) -> Self {
        BarChart(Plot::new(title.into(), points))
    }

    /// What the numbers are.
    #[must_use]
    pub fn unit(mut self, unit: Unit) -> Self {
        self.0.unit = unit;
        self
    }

    /// One more series, on top of those before.
    #[must_use]
    pub fn series(mut self, series: Series) -> Self {
        self.0.push(series);
        self
    }

    fn svg(&self) -> String {
        let plot = &self.0;
        let sum =
            |point: usize| plot.series.iter().filter_map(|s| s.at(point)).map(|v| v.max(0.0)).sum::<f64>();
        let sums: Vec<f64> = (0..plot.points.len()).map(sum).collect();
        let scale = Scale::holding(sums.iter().copied());
        let whole = plot.unit.words(sums.iter().sum());
        let describe = format!("{} bars, {whole} in all", plot.points.len());
        let mut svg = open("plot", HEIGHT + FOOT, &plot.title, &describe);
        svg.push_str(&grid(&scale, HEIGHT));
        let slot = (100.0 - LEFT) / plot.points.len().max(1) as f64;
        // A gap of a fifth, and no bar so wide that one point fills the drawing.
        let width = (slot * 0.8).min(12.0);
        let mut below = vec![0.0; plot.points.len()];
        svg.push_str(&format!(
            r#"<svg width="100%" height="{HEIGHT}" viewBox="0 0 100 {HEIGHT}" preserveAspectRatio="none">"#
        ));
        // One path for each series: a bar is a few letters of it.
        for series in &plot.series {
            let mut path = String::new();
            for (point, below) in below.iter_mut().enumerate() {
                let Some(value) = series.at(point).filter(|value| *value > 0.0) else { continue };
                let (top, bottom) = (scale.y(*below + value, HEIGHT), scale.y(*below, HEIGHT));
                *below += value;
                let x = number(LEFT + slot * point as f64 + (slot - width) / 2.0);
                let (top, width, height) = (number(top), number(width), number((bottom - top).max(0.5)));
                path.push_str(&format!("M{x} {top}h{width}v{height}h-{width}z"));
            }
            if !path.is_empty() {
                svg.push_str(&format!(r#"<path class="bar {}" d="{path}"/>"#, series.tone.class()));
            }
        }
        // What each bar is made of, for whoever points at it.
        for (point, name) in plot.points.iter().enumerate() {
            let words: Vec<String> = plot
                .series
                .iter()
                .filter_map(|s| Some((s, s.at(point).filter(|value| *value > 0.0)?)))
                .map(|(s, value)| format!("{} {}", html::escaped(&s.name), plot.unit.words(value)))
                .collect();
            if !words.is_empty() {
                svg.push_str(&format!(
                    r#"<path opacity="0" d="M{} 0h{}v{HEIGHT}h-{1}z"><title>{}: {}</title></path>"#,
                    number(LEFT + slot * point as f64),
                    number(slot),
                    html::escaped(name),
                    words.join(", "),
                ));
            }
        }
        svg.push_str("</svg>");
        svg.push_str(&grid_words(&scale, plot.unit, HEIGHT));
        svg.push_str(&plot.slot_names(HEIGHT + FOOT - 5.0, LEFT));
        svg + "</svg>"
    }
}

impl From<BarChart> for Html {
    fn from(chart: BarChart) -> Self {
        chart.0.figure(chart.svg())
    }
}
