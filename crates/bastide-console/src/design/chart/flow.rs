//! Who went where.

use super::scale::bounded;
use super::{Figure, TwinTable, Unit, number, open};
use crate::design::{Html, Text, Tone, html};

/// The most links; further ones are left out.
const MAX_LINKS: usize = 200;
/// The most stations of one stage; further ones join the last, as `others`.
const MAX_STATIONS: usize = 10;
const HEIGHT: f64 = 240.0;
const GAP: f64 = 10.0;
/// Of 1000 across.
const STATION: f64 = 8.0;

/// Streams from stage to stage, as wide as there is much: callers, verdicts, providers.
#[derive(Clone, Debug)]
pub struct Flow {
    title: Text,
    unit: Unit,
    /// For each link its place in every stage.
    links: Vec<([Text; 3], Tone, f64)>,
}

impl Flow {
    /// No streams yet.
    #[must_use]
    pub fn new(title: impl Into<Text>) -> Self {
        Flow { title: title.into(), unit: Unit::Count, links: Vec::new() }
    }

    /// What the numbers are.
    #[must_use]
    pub fn unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// So much came from `from`, was judged `through` (which gives the tone) and went `to`. What is not above zero is
    /// not drawn.
    #[must_use]
    pub fn link(
        mut self,
        from: impl Into<Text>,
        (through, tone): (impl Into<Text>, Tone),
        to: impl Into<Text>,
        amount: f64,
    ) -> Self {
        if amount.is_finite() && amount > 0.0 && self.links.len() < MAX_LINKS {
            self.links.push(([from.into(), through.into(), to.into()], tone, bounded(amount)));
        }
        self
    }

    /// The stations of a stage, in the order they were named, with how much passes.
    fn stations(&self, stage: usize) -> Vec<(Text, f64)> {
        let mut stations: Vec<(Text, f64)> = Vec::new();
        for (names, _, amount) in &self.links {
            let Some(name) = names.get(stage) else { continue };
            let full = stations.len() >= MAX_STATIONS;
            match stations.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => *sum += amount,
                None if full => {
                    if let Some((last, sum)) = stations.last_mut() {
                        (*last, *sum) = ("others".into(), *sum + amount);
                    }
                }
                None => stations.push((name.clone(), *amount)),
            }
        }
        stations
    }

    fn svg(&self) -> String {
        let stages: Vec<Stage> = (0..3).map(|stage| Stage::new(self.stations(stage))).collect();
        let whole: f64 = self.links.iter().map(|(_, _, amount)| amount).sum();
        let mut svg =
            open("plot flow-chart", HEIGHT, &self.title, &format!("{} in all", self.unit.words(whole)));
        svg.push_str(&format!(
            r#"<svg width="100%" height="{HEIGHT}" viewBox="0 0 1000 {HEIGHT}" preserveAspectRatio="none">"#
        ));
        for (from, to) in [(0, 1), (1, 2)] {
            let (Some(left), Some(right)) = (stages.get(from), stages.get(to)) else { continue };
            let (mut left, mut right) = (left.clone(), right.clone());
            for (names, tone, amount) in &self.links {
                let (Some(start), Some(end)) = (names.get(from), names.get(to)) else { continue };
                let (y1, h1) = left.take(start, *amount);
                let (y2, h2) = right.take(end, *amount);
                let (x1, x2) =
                    (500.0 * from as f64 - 4.0 * from as f64 + STATION, 500.0 * to as f64 - 4.0 * to as f64);
                svg.push_str(&ribbon([x1, x2], [y1, y1 + h1], [y2, y2 + h2], tone.class()));
            }
        }
        for (nth, stage) in stages.iter().enumerate() {
            for (_, y, height, _) in &stage.stations {
                let (x, y, height) = (number(496.0 * nth as f64), number(*y), number(height.max(1.0)));
                svg.push_str(&format!(
                    r#"<rect class="station" x="{x}" y="{y}" width="{STATION}" height="{height}"/>"#
                ));
            }
        }
        svg.push_str("</svg>");
        for (nth, stage) in stages.iter().enumerate() {
            let (x, dx, anchor) = match nth {
                0 => ("0%", 14, "start"),
                1 => ("50%", 10, "start"),
                _ => ("100%", -14, "end"),
            };
            for (name, y, height, amount) in &stage.stations {
                let (y, name, words) =
                    (number(y + height / 2.0 + 4.0), html::escaped(name), self.unit.words(*amount));
                svg.push_str(&format!(r#"<text class="flow-name" x="{x}" dx="{dx}" y="{y}" text-anchor="{anchor}">{name} <tspan class="axis">{words}</tspan></text>"#));
            }
        }
        svg + "</svg>"
    }
}

impl From<Flow> for Html {
    fn from(flow: Flow) -> Self {
        let mut table = TwinTable::new(["From", "Verdict", "To", "Amount"].map(Text::from));
        table.names = 3;
        for ([from, through, to], _, amount) in &flow.links {
            table.row([from.clone(), through.clone(), to.clone(), flow.unit.words(*amount).into()]);
        }
        let empty = flow.links.is_empty();
        Figure { title: flow.title.clone(), legend: Vec::new(), empty, svg: Html::raw(flow.svg()), table }
            .into()
    }
}

/// Stations of one stage with their places: name, top, height, amount; and how much of each has been taken.
#[derive(Clone, Debug)]
struct Stage {
    stations: Vec<(Text, f64, f64, f64)>,
    taken: Vec<f64>,
    scale: f64,
}

impl Stage {
    fn new(amounts: Vec<(Text, f64)>) -> Self {
        let whole: f64 = amounts.iter().map(|(_, amount)| amount).sum::<f64>().max(1e-9);
        // Every stage has the same scale: that of the one with the most gaps.
        let room = HEIGHT - GAP * (MAX_STATIONS - 1) as f64;
        let scale = room / whole;
        let gaps = amounts.len().saturating_sub(1).max(1) as f64;
        let gap = ((HEIGHT - room) / gaps).min(28.0);
        let used = whole * scale + gap * amounts.len().saturating_sub(1) as f64;
        let mut y = ((HEIGHT - used) / 2.0).max(0.0);
        let mut stations = Vec::new();
        for (name, amount) in amounts {
            let height = amount * scale;
            stations.push((name, y, height, amount));
            y += height + gap;
        }
        let taken = vec![0.0; stations.len()];
        Stage { stations, taken, scale }
    }

    /// The next piece of a station: its top and height. A name that joined `others` is found there.
    fn take(&mut self, name: &Text, amount: f64) -> (f64, f64) {
        let last = self.stations.len().saturating_sub(1);
        let at = self.stations.iter().position(|(known, ..)| known == name).unwrap_or(last);
        let height = amount * self.scale;
        match (self.stations.get(at), self.taken.get_mut(at)) {
            (Some((_, y, ..)), Some(taken)) => {
                let top = y + *taken;
                *taken += height;
                (top, height)
            }
            _ => (0.0, 0.0),
        }
    }
}

fn ribbon([x1, x2]: [f64; 2], [a1, b1]: [f64; 2], [a2, b2]: [f64; 2], class: &str) -> String {
    let [x1, x2, middle, a1, b1, a2, b2] = [x1, x2, (x1 + x2) / 2.0, a1, b1, a2, b2].map(number);
    format!(
        r#"<path class="ribbon {class}" d="M{x1} {a1}C{middle} {a1} {middle} {a2} {x2} {a2}V{b2}C{middle} {b2} {middle} {b1} {x1} {b1}z"/>"#
    )
}
