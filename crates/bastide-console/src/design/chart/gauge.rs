//! One part of one whole.

use super::{number, open};
use crate::design::{Html, Text, Tone, format};

/// Half a ring that is filled as far as a part goes, with the part in words inside: its own table twin.
#[derive(Clone, Debug)]
pub struct Gauge {
    title: Text,
    tone: Tone,
    ratio: f64,
}

impl Gauge {
    /// A part of one; what is no number is shown as not known.
    #[must_use]
    pub fn new(title: impl Into<Text>, tone: Tone, ratio: f64) -> Self {
        Gauge { title: title.into(), tone, ratio: if ratio.is_nan() { ratio } else { ratio.clamp(0.0, 1.0) } }
    }
}

impl From<Gauge> for Html {
    fn from(gauge: Gauge) -> Self {
        // The length of half a ring of radius 50.
        const ARC: f64 = 157.08;
        let words = format::percent(gauge.ratio);
        let filled = number(if gauge.ratio.is_nan() { 0.0 } else { gauge.ratio * ARC });
        let mut svg = open("gauge", 84.0, &gauge.title, &words);
        let (class, ring) =
            (gauge.tone.class(), r#"d="M10 62a50 50 0 0 1 100 0" fill="none" stroke-width="9""#);
        svg.push_str(r#"<svg width="100%" height="84" viewBox="0 0 120 84">"#);
        svg.push_str(&format!(r#"<path class="ring" {ring}/>"#));
        if filled != "0" {
            svg.push_str(&format!(r#"<path class="line {class}" {ring} stroke-dasharray="{filled} 400"/>"#));
        }
        let title = crate::design::html::escaped(&gauge.title);
        svg.push_str(&format!(
            r#"<text class="gauge-value" x="60" y="58" text-anchor="middle">{words}</text><text class="axis" x="60" y="80" text-anchor="middle">{title}</text></svg></svg>"#
        ));
        Html::raw(svg)
    }
}
