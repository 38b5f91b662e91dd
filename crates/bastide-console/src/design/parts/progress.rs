//! How far something is.

use askama::Template;

use crate::design::html::component;
use crate::design::{Html, Text};

/// Part of a whole, as a bar with words: an amount of a budget, a job.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<div class="progress"><p><span>{{ label }}</span><span class="hush num">{{ words }}</span></p><progress{% if let Some(percent) = percent %} value="{{ percent }}"{% endif %} max="100" aria-label="{{ label }}" class="{{ self.state() }}">{{ words }}</progress></div>"#,
    ext = "html"
)]
pub struct Progress {
    label: Text,
    words: Text,
    percent: Option<u8>,
    budget: bool,
}

component!(Progress, Steps);

impl Progress {
    /// A job; `None` when nobody knows how far it is. `words` say it in numbers: `120 of 300`.
    #[must_use]
    pub fn job(label: impl Into<Text>, percent: Option<u8>, words: impl Into<Text>) -> Self {
        Progress {
            label: label.into(),
            words: words.into(),
            percent: percent.map(|p| p.min(100)),
            budget: false,
        }
    }

    /// An amount that is used up: from 80% on it warns, at 100% it is full.
    #[must_use]
    pub fn budget(label: impl Into<Text>, percent: u8, words: impl Into<Text>) -> Self {
        Progress { budget: true, ..Progress::job(label, Some(percent), words) }
    }

    fn state(&self) -> &'static str {
        match self.percent {
            Some(100..) if self.budget => "t-block",
            Some(80..) if self.budget => "t-flag",
            _ => "t-accent",
        }
    }
}

/// How far one step of a setup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Done.
    Done,
    /// To do now.
    Now,
    /// After that.
    Later,
}

/// The steps of a setup, the one to do now open.
#[derive(Clone, Debug, Default, Template)]
#[template(
    source = r#"<ol class="steps">{% for (step, title, body) in steps %}<li{% match step %}{% when Step::Done %} class="done"{% when Step::Now %} class="now" aria-current="step"{% when Step::Later %}{% endmatch %}><p class="step-title">{{ title }}{% if *step == Step::Done %}<span class="unseen"> (done)</span>{% endif %}</p>{% if self.all || *step == Step::Now %}<div class="step-body flow">{{ body }}</div>{% endif %}</li>{% endfor %}</ol>"#,
    ext = "html"
)]
pub struct Steps {
    steps: Vec<(Step, Text, Html)>,
    all: bool,
}

impl Steps {
    /// No steps.
    #[must_use]
    pub fn new() -> Self {
        Steps::default()
    }

    /// Every step is open, not only the one to do now: nothing hinders doing another one first.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.all = true;
        self
    }

    /// One more step; `body` shows while it is the one to do now.
    #[must_use]
    pub fn step(mut self, step: Step, title: impl Into<Text>, body: impl Into<Html>) -> Self {
        self.steps.push((step, title.into(), body.into()));
        self
    }
}
