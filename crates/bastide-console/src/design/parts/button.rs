//! Links and buttons. What leads somewhere is a link; what changes something is a button in a form.

use askama::Template;

use super::Csrf;
use crate::design::html::component;
use crate::design::{Href, Icon, Text};

/// How much a button asks for attention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Weight {
    #[default]
    Plain,
    Primary,
    Danger,
    Quiet,
}

impl Weight {
    const fn class(self) -> &'static str {
        match self {
            Weight::Plain => "",
            Weight::Primary => " primary",
            Weight::Danger => " danger",
            Weight::Quiet => " quiet",
        }
    }
}

/// A button that sends the form it stands in.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<button type="submit" class="button{{ weight.class() }}{% if small %} small{% endif %}"{% if let Some(to) = to.as_ref() %} formaction="{{ to }}"{% endif %}{% if let Some((name, value)) = sends.as_ref() %} name="{{ name }}" value="{{ value }}"{% endif %}{% if disabled || busy %} disabled{% endif %}{% if busy %} aria-busy="true"{% endif %}{% if !confirm.is_empty() %} data-confirm="{{ confirm }}"{% endif %}>{% if busy %}<span class="spinner" aria-hidden="true"></span>{% else if let Some(icon) = icon %}{{ icon }}{% endif %}{{ label }}</button>"#,
    ext = "html"
)]
pub struct Button {
    label: Text,
    weight: Weight,
    small: bool,
    disabled: bool,
    busy: bool,
    icon: Option<Icon>,
    sends: Option<(&'static str, String)>,
    to: Option<Href>,
    confirm: Text,
}

component!(Button, Link, PostButton);

impl Button {
    /// A button that says what it does: `Save policy`.
    #[must_use]
    pub fn new(label: impl Into<Text>) -> Self {
        Button {
            label: label.into(),
            weight: Weight::Plain,
            small: false,
            disabled: false,
            busy: false,
            icon: None,
            sends: None,
            to: None,
            confirm: Text::default(),
        }
    }

    /// The one thing to do on this page.
    #[must_use]
    pub fn primary(mut self) -> Self {
        self.weight = Weight::Primary;
        self
    }

    /// Takes something away.
    #[must_use]
    pub fn danger(mut self) -> Self {
        self.weight = Weight::Danger;
        self
    }

    /// Without a frame.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.weight = Weight::Quiet;
        self
    }

    /// For rows of tables.
    #[must_use]
    pub fn small(mut self) -> Self {
        self.small = true;
        self
    }

    /// Cannot be pressed now.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.disabled = true;
        self
    }

    /// Has been pressed; the work goes on.
    #[must_use]
    pub fn busy(mut self) -> Self {
        self.busy = true;
        self
    }

    /// A drawing before the label.
    #[must_use]
    pub fn icon(mut self, icon: Icon) -> Self {
        self.icon = Some(icon);
        self
    }

    /// The field that tells which of a form's buttons was pressed.
    #[must_use]
    pub fn sends(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.sends = Some((name, value.into()));
        self
    }

    /// Sends its form to another address than the form's own.
    #[must_use]
    pub fn to(mut self, action: Href) -> Self {
        self.to = Some(action);
        self
    }

    /// Asks first. A browser without script does not ask: what cannot be undone belongs in a [`super::Dialog`].
    #[must_use]
    pub fn confirm(mut self, question: impl Into<Text>) -> Self {
        self.confirm = question.into();
        self
    }
}

/// A form that is only a button.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<form method="post" action="{{ action }}" class="inline-form">{{ csrf }}{{ button }}</form>"#,
    ext = "html"
)]
pub struct PostButton {
    action: Href,
    csrf: Csrf,
    button: Button,
}

impl PostButton {
    /// Posts to `action` when pressed.
    #[must_use]
    pub fn new(action: Href, csrf: &Csrf, button: Button) -> Self {
        PostButton { action, csrf: csrf.clone(), button }
    }
}

/// A link. Leaving this site it opens beside, tells nothing of where it came from, and shows a sign.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<a href="{{ href }}"{% if let Some(weight) = button %} class="button{{ weight.class() }}{% if small %} small{% endif %}"{% endif %}{% if href.is_external() %} target="_blank" rel="noopener noreferrer"{% endif %}>{% if let Some(icon) = icon %}{{ icon }}{% endif %}{{ label }}{% if href.is_external() %}{{ Icon::External }}<span class="unseen"> (opens beside)</span>{% endif %}</a>"#,
    ext = "html"
)]
pub struct Link {
    href: Href,
    label: Text,
    button: Option<Weight>,
    small: bool,
    icon: Option<Icon>,
}

impl Link {
    /// A link in running text.
    #[must_use]
    pub fn new(href: Href, label: impl Into<Text>) -> Self {
        Link { href, label: label.into(), button: None, small: false, icon: None }
    }

    /// A link with the frame of a button.
    #[must_use]
    pub fn button(href: Href, label: impl Into<Text>) -> Self {
        Link { button: Some(Weight::Plain), ..Link::new(href, label) }
    }

    /// The one thing to do on this page.
    #[must_use]
    pub fn primary(mut self) -> Self {
        self.button = Some(Weight::Primary);
        self
    }

    /// For rows of tables.
    #[must_use]
    pub fn small(mut self) -> Self {
        self.small = true;
        self
    }

    /// A drawing before the label.
    #[must_use]
    pub fn icon(mut self, icon: Icon) -> Self {
        self.icon = Some(icon);
        self
    }
}
