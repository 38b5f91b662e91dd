//! Where the time went.

use std::time::Duration;

use askama::Template;

use crate::design::format;
use crate::design::html::component;
use crate::design::{Text, Tone};

/// The most bars of one waterfall.
const MAX_BARS: usize = 100;

/// Bars on one line of time, each beginning where its work began.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<figure class="waterfall"><figcaption class="unseen">{{ title }}</figcaption><table><thead class="unseen"><tr><th scope="col">Step</th><th scope="col">Begins</th><th scope="col">When</th><th scope="col">Takes</th></tr></thead><tbody>{% for bar in self.shown() %}<tr><th scope="row" dir="auto">{{ bar.name }}</th><td class="unseen">{{ bar.begins }}</td><td class="waterfall-track"><svg width="100%" height="14" aria-hidden="true"><line x1="0" y1="7" x2="100%" y2="7" class="grid"/><rect class="{{ bar.tone.class() }}" x="{{ bar.x }}%" width="{{ bar.width }}%" y="2" height="10" rx="2"/></svg></td><td class="num">{{ bar.takes }}</td></tr>{% endfor %}</tbody></table></figure>"#,
    ext = "html"
)]
pub struct Waterfall {
    title: Text,
    bars: Vec<(Text, Tone, Duration, Duration)>,
}

component!(Waterfall);

struct Bar<'a> {
    name: &'a Text,
    tone: Tone,
    begins: String,
    takes: String,
    x: String,
    width: String,
}

impl Waterfall {
    /// No bars yet.
    #[must_use]
    pub fn new(title: impl Into<Text>) -> Self {
        Waterfall { title: title.into(), bars: Vec::new() }
    }

    /// Work that began `begins` after the start and took `takes`. After a hundred, no more are taken.
    #[must_use]
    pub fn bar(mut self, name: impl Into<Text>, tone: Tone, begins: Duration, takes: Duration) -> Self {
        if self.bars.len() < MAX_BARS {
            self.bars.push((name.into(), tone, begins, takes));
        }
        self
    }

    fn shown(&self) -> Vec<Bar<'_>> {
        let ends = |bar: &(Text, Tone, Duration, Duration)| bar.2.saturating_add(bar.3).as_secs_f64();
        let whole = self.bars.iter().map(ends).fold(0.0, f64::max).max(1e-9);
        self.bars
            .iter()
            .map(|(name, tone, begins, takes)| {
                // A bar too short to be seen is drawn as the least that can be.
                let width = (takes.as_secs_f64() / whole * 100.0).clamp(0.4, 100.0);
                let x = (begins.as_secs_f64() / whole * 100.0).min(100.0 - width);
                Bar {
                    name,
                    tone: *tone,
                    begins: format::duration(*begins),
                    takes: format::duration(*takes),
                    x: format!("{x:.2}"),
                    width: format!("{width:.2}"),
                }
            })
            .collect()
    }
}
