//! Lines over time.

use super::scale::Scale;
use super::{Plot, Series, Unit, grid, grid_words, number, open};
use crate::design::{Html, Text};

const HEIGHT: f64 = 180.0;
const FOOT: f64 = 22.0;

/// One line for each series; where nothing was measured the line has a gap.
#[derive(Clone, Debug)]
pub struct LineChart(Plot);

impl LineChart {
    /// A chart over these points: moments, hours, days.
    #[must_use]
    pub fn new(title: impl Into<Text>, points: impl IntoIterator<Item = impl Into<Text>>) -> Self {
        LineChart(Plot::new(title.into(), points))
    }

    /// What the numbers are.
    #[must_use]
    pub fn unit(mut self, unit: Unit) -> Self {
        self.0.unit = unit;
        self
    }

    /// One more line.
    #[must_use]
    pub fn series(mut self, series: Series) -> Self {
        self.0.push(series);
        self
    }

    fn svg(&self) -> String {
        let plot = &self.0;
        let values = || plot.series.iter().flat_map(|series| series.values.iter().copied());
        let scale = Scale::holding(values());
        let most = values().filter(|value| value.is_finite()).fold(f64::NEG_INFINITY, f64::max);
        let describe = format!("{} lines, at most {}", plot.series.len(), plot.unit.words(most));
        let mut svg = open("plot", HEIGHT + FOOT, &plot.title, &describe);
        svg.push_str(&grid(&scale, HEIGHT));
        svg.push_str(&format!(
            r#"<svg width="100%" height="{HEIGHT}" viewBox="0 0 1000 {HEIGHT}" preserveAspectRatio="none">"#
        ));
        for (nth, series) in plot.series.iter().enumerate() {
            let path = path(series, plot.points.len(), |value| scale.y(value, HEIGHT));
            // Dashes tell lines apart where colours do not.
            let dash = ["", r#" stroke-dasharray="6 3""#, r#" stroke-dasharray="2 3""#];
            let dash = dash.get(nth % dash.len()).copied().unwrap_or_default();
            svg.push_str(&format!(
                r#"<path class="line {}" d="{path}" vector-effect="non-scaling-stroke"{dash}/>"#,
                series.tone.class(),
            ));
        }
        svg.push_str("</svg>");
        svg.push_str(&grid_words(&scale, plot.unit, HEIGHT));
        svg.push_str(&plot.point_names(HEIGHT + FOOT - 5.0, 0.0));
        svg + "</svg>"
    }
}

impl From<LineChart> for Html {
    fn from(chart: LineChart) -> Self {
        chart.0.figure(chart.svg())
    }
}

/// Moves and lines over a width of 1000; a point between two gaps is a dot.
fn path(series: &Series, points: usize, y: impl Fn(f64) -> f64) -> String {
    let step = 1000.0 / points.saturating_sub(1).max(1) as f64;
    let mut path = String::new();
    let mut drawing = false;
    for point in 0..points {
        let Some(value) = series.at(point) else {
            drawing = false;
            continue;
        };
        let (x, y) = (number(step * point as f64), number(y(value)));
        if drawing {
            path.push_str(&format!("L{x} {y}"));
        } else {
            // One point alone is a dash: a dot would not be seen.
            let long = match series.at(point + 1) {
                Some(_) => ".01",
                None if point + 1 == points => "-8",
                None => "8",
            };
            path.push_str(&format!("M{x} {y}h{long}"));
        }
        drawing = true;
    }
    path
}
