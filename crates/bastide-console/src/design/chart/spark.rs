//! A line the size of a word.

use super::scale::{Scale, bounded};
use super::{MAX_POINTS, number, open};
use crate::design::{Html, Text, Tone};

const HEIGHT: f64 = 32.0;

/// A small line without axes. The figure beside it is what it says; the drawing only shows how it went.
#[derive(Clone, Debug)]
pub struct Sparkline {
    title: Text,
    tone: Tone,
    values: Vec<f64>,
}

impl Sparkline {
    /// A line through these values, oldest first.
    #[must_use]
    pub fn new(title: impl Into<Text>, tone: Tone, values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> =
            values.into_iter().map(bounded).filter(|value| value.is_finite()).collect();
        values.drain(..values.len().saturating_sub(MAX_POINTS));
        Sparkline { title: title.into(), tone, values }
    }
}

impl From<Sparkline> for Html {
    fn from(spark: Sparkline) -> Self {
        let scale = Scale::holding(spark.values.iter().copied());
        // The scale leaves room for words above; here there are none.
        let y = |value: f64| number((scale.y(value, HEIGHT + 13.0) - 14.0).clamp(1.0, HEIGHT - 1.0));
        let step = 200.0 / spark.values.len().saturating_sub(1).max(1) as f64;
        let place = |(at, value): (usize, &f64)| format!("{} {}", number(step * at as f64), y(*value));
        let places: Vec<String> = spark.values.iter().enumerate().map(place).collect();
        let ends = match (spark.values.first(), spark.values.last()) {
            (Some(first), Some(last)) => {
                format!(
                    "from {} to {}",
                    crate::design::format::short(*first),
                    crate::design::format::short(*last)
                )
            }
            _ => "no values".to_owned(),
        };
        let mut svg = open("spark", HEIGHT, &spark.title, &ends);
        let class = spark.tone.class();
        svg.push_str(&format!(
            r#"<svg width="100%" height="{HEIGHT}" viewBox="0 0 200 {HEIGHT}" preserveAspectRatio="none">"#
        ));
        if let [_, .., _] = places.as_slice() {
            let line = places.join("L");
            svg.push_str(&format!(
                r#"<path class="area {class}" d="M0 {HEIGHT}L{line}L200 {HEIGHT}z"/><path class="line {class}" d="M{line}" vector-effect="non-scaling-stroke"/>"#
            ));
        } else if let [only] = places.as_slice() {
            svg.push_str(&format!(
                r#"<path class="line {class}" d="M{only}h200" vector-effect="non-scaling-stroke"/>"#
            ));
        }
        Html::raw(svg + "</svg></svg>")
    }
}
