//! Facts, figures, and the boxes they stand in.

use askama::Template;

use crate::design::html::component;
use crate::design::{Href, Html, Icon, Text, Tone};

/// An id, digest or key prefix: equal widths, with a button that copies it.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<span class="copyable"><code class="id">{{ self.shown() }}</code>{% if copies %}{{ CopyText::new(id.as_str()) }}{% endif %}</span>"#,
    ext = "html"
)]
pub struct Id {
    id: Text,
    copies: bool,
    grouped: bool,
}

component!(Card, Columns, CopyText, Facts, Id, LineUp, Paragraph, Section, Stat, Tiles);

impl Id {
    /// An id.
    #[must_use]
    pub fn new(id: impl Into<Text>) -> Self {
        Id { id: id.into(), copies: true, grouped: false }
    }

    /// Without the button: for the cell that is a row's link.
    #[must_use]
    pub fn plain(id: impl Into<Text>) -> Self {
        Id { id: id.into(), copies: false, grouped: false }
    }

    /// Shown in groups of four, for whoever types it; the button copies it as it is.
    #[must_use]
    pub fn grouped(mut self) -> Self {
        self.grouped = true;
        self
    }

    fn shown(&self) -> Text {
        if !self.grouped {
            return self.id.clone();
        }
        let letters: Vec<char> = self.id.as_str().chars().collect();
        let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
        Text::from(groups.join(" "))
    }
}

/// A button that copies a text. Hidden without script: what it copies is always shown beside it.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<button type="button" class="icon-button copy" data-copy="{{ text }}" hidden aria-label="Copy">{{ Icon::Copy }}</button>"#,
    ext = "html"
)]
pub struct CopyText {
    text: String,
}

impl CopyText {
    /// Copies exactly this.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        CopyText { text: text.into() }
    }
}

/// Names and values, one below the other.
#[derive(Clone, Debug, Default, Template)]
#[template(
    source = r#"<dl class="facts">{% for (name, value) in facts %}<div><dt>{{ name }}</dt><dd dir="auto">{% if value.is_empty() %}<span class="hush">–</span>{% else %}{{ value }}{% endif %}</dd></div>{% endfor %}</dl>"#,
    ext = "html"
)]
pub struct Facts {
    facts: Vec<(Text, Html)>,
}

impl Facts {
    /// No facts.
    #[must_use]
    pub fn new() -> Self {
        Facts::default()
    }

    /// One more; an empty value shows as a dash.
    #[must_use]
    pub fn fact(mut self, name: impl Into<Text>, value: impl Into<Html>) -> Self {
        self.facts.push((name.into(), value.into()));
        self
    }
}

/// A box with a head.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<section class="card{% if flush %} flush{% endif %}">{% if !title.is_empty() %}<header class="card-head"><div><h2>{{ title }}</h2>{% if !note.is_empty() %}<p class="hush">{{ crate::design::html::prose(note) }}</p>{% endif %}</div>{{ end }}</header>{% endif %}<div class="card-body">{{ body }}</div></section>"#,
    ext = "html"
)]
pub struct Card {
    title: Text,
    note: Text,
    end: Html,
    body: Html,
    flush: bool,
}

impl Card {
    /// A box with a title.
    #[must_use]
    pub fn new(title: impl Into<Text>) -> Self {
        Card { title: title.into(), note: Text::default(), end: Html::new(), body: Html::new(), flush: false }
    }

    /// A line below the title.
    #[must_use]
    pub fn note(mut self, note: impl Into<Text>) -> Self {
        self.note = note.into();
        self
    }

    /// What stands at the end of the head: a link, a badge, a button.
    #[must_use]
    pub fn end(mut self, end: impl Into<Html>) -> Self {
        self.end = self.end.then(end);
        self
    }

    /// What the box holds; called again, what it holds next.
    #[must_use]
    pub fn body(mut self, body: impl Into<Html>) -> Self {
        self.body = self.body.then(body);
        self
    }

    /// Without a margin inside: for a table or code that fills the box.
    #[must_use]
    pub fn flush(mut self) -> Self {
        self.flush = true;
        self
    }
}

/// A part of a page with a heading and no box.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<section class="section flow">{% if !title.is_empty() %}<h2>{{ title }}</h2>{% endif %}{% if !note.is_empty() %}<p class="hush">{{ note }}</p>{% endif %}{{ body }}</section>"#,
    ext = "html"
)]
pub struct Section {
    title: Text,
    note: Text,
    body: Html,
}

impl Section {
    /// A part with a heading.
    #[must_use]
    pub fn new(title: impl Into<Text>) -> Self {
        Section { title: title.into(), note: Text::default(), body: Html::new() }
    }

    /// A line below the heading.
    #[must_use]
    pub fn note(mut self, note: impl Into<Text>) -> Self {
        self.note = note.into();
        self
    }

    /// What the part holds; called again, what it holds next.
    #[must_use]
    pub fn body(mut self, body: impl Into<Html>) -> Self {
        self.body = self.body.then(body);
        self
    }
}

/// One figure: its name, its value, how it changed, how it went.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<{% if href.is_some() %}a{% else %}div{% endif %} class="stat"{% if let Some(href) = href.as_ref() %} href="{{ href }}"{% endif %}><span class="stat-name">{{ name }}</span>{% if let Some((tone, delta)) = delta.as_ref() %}<span class="stat-delta {{ tone.class() }}">{{ delta }}</span>{% endif %}<span class="stat-value">{{ value }}{% if !unit.is_empty() %} <small>{{ unit }}</small>{% endif %}</span>{{ trend }}</{% if href.is_some() %}a{% else %}div{% endif %}>"#,
    ext = "html"
)]
pub struct Stat {
    name: Text,
    value: Text,
    unit: Text,
    delta: Option<(Tone, Text)>,
    trend: Html,
    href: Option<Href>,
}

impl Stat {
    /// A figure.
    #[must_use]
    pub fn new(name: impl Into<Text>, value: impl Into<Text>) -> Self {
        Stat {
            name: name.into(),
            value: value.into(),
            unit: Text::default(),
            delta: None,
            trend: Html::new(),
            href: None,
        }
    }

    /// Its unit, smaller.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<Text>) -> Self {
        self.unit = unit.into();
        self
    }

    /// How it changed, with its sign and since when: `+12% since yesterday`; the tone says whether that is good.
    #[must_use]
    pub fn delta(mut self, tone: Tone, delta: impl Into<Text>) -> Self {
        self.delta = Some((tone, delta.into()));
        self
    }

    /// How it went: a [`crate::design::Sparkline`].
    #[must_use]
    pub fn trend(mut self, trend: impl Into<Html>) -> Self {
        self.trend = trend.into();
        self
    }

    /// Where there is more.
    #[must_use]
    pub fn href(mut self, href: Href) -> Self {
        self.href = Some(href);
        self
    }
}

/// Figures side by side.
#[derive(Clone, Debug, Default, Template)]
#[template(
    source = r#"<div class="tiles">{% for stat in stats %}{{ stat }}{% endfor %}</div>"#,
    ext = "html"
)]
pub struct Tiles {
    stats: Vec<Stat>,
}

impl Tiles {
    /// These figures.
    #[must_use]
    pub fn new(stats: impl IntoIterator<Item = Stat>) -> Self {
        Tiles { stats: stats.into_iter().collect() }
    }
}

/// Boxes side by side where there is room, one below the other where there is not.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<div class="columns{% if wide_first %} wide-first{% endif %}">{% for part in parts %}<div class="flow">{{ part }}</div>{% endfor %}</div>"#,
    ext = "html"
)]
pub struct Columns {
    parts: Vec<Html>,
    wide_first: bool,
}

impl Columns {
    /// Equal columns.
    #[must_use]
    pub fn new(parts: impl IntoIterator<Item = Html>) -> Self {
        Columns { parts: parts.into_iter().collect(), wide_first: false }
    }

    /// The first takes two thirds.
    #[must_use]
    pub fn wide_first(mut self) -> Self {
        self.wide_first = true;
        self
    }
}

/// Small parts on one line, with room between them: badges, buttons.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<div class="line-up">{% for part in parts %}{{ part }}{% endfor %}</div>"#,
    ext = "html"
)]
pub struct LineUp {
    parts: Vec<Html>,
}

impl LineUp {
    /// These parts.
    #[must_use]
    pub fn new(parts: impl IntoIterator<Item = Html>) -> Self {
        LineUp { parts: parts.into_iter().collect() }
    }
}

/// A paragraph, which may hold links and badges.
#[derive(Clone, Debug, Template)]
#[template(source = r#"<p{% if hush %} class="hush"{% endif %}>{{ words }}</p>"#, ext = "html")]
pub struct Paragraph {
    words: Html,
    hush: bool,
}

impl Paragraph {
    /// Running text.
    #[must_use]
    pub fn new(words: impl Into<Html>) -> Self {
        Paragraph { words: words.into(), hush: false }
    }

    /// Of lesser weight.
    #[must_use]
    pub fn hush(mut self) -> Self {
        self.hush = true;
        self
    }
}
