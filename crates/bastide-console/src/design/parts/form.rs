//! Forms and their fields.

use std::fmt;

use askama::Template;

use super::Button;
use crate::design::html::component;
use crate::design::{Href, Html, Icon, Text};

/// The token that tells a form of this session from one of another site. Does not print.
#[derive(Clone, Template)]
#[template(source = r#"<input type="hidden" name="csrf" value="{{ token }}">"#, ext = "html")]
pub struct Csrf {
    token: String,
}

component!(Csrf, Field, Form, Hidden);

impl Csrf {
    /// The token of this session.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        Csrf { token: token.into() }
    }
}

impl fmt::Debug for Csrf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Csrf(…)")
    }
}

/// A field that nobody fills in.
#[derive(Clone, Template)]
#[template(source = r#"<input type="hidden" name="{{ name }}" value="{{ value }}">"#, ext = "html")]
pub struct Hidden {
    name: String,
    value: String,
}

impl Hidden {
    /// Sent as it is.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Hidden { name: name.into(), value: value.into() }
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hidden").field("name", &self.name).finish_non_exhaustive()
    }
}

/// One option of a select or radio group.
#[derive(Clone, Debug)]
pub struct Choice {
    value: String,
    label: Text,
    hint: Text,
}

impl Choice {
    /// What is sent and what is read.
    #[must_use]
    pub fn new(value: impl Into<String>, label: impl Into<Text>) -> Self {
        Choice { value: value.into(), label: label.into(), hint: Text::default() }
    }

    /// A line below the label; radio groups show it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Text>) -> Self {
        self.hint = hint.into();
        self
    }
}

#[derive(Clone, Debug)]
enum Control {
    Input(&'static str),
    Area(u8),
    Select(Vec<Choice>),
    Radios(Vec<Choice>),
    Checkbox(bool),
}

/// One field: a label, a control, a hint and an error. Values go back and forth unchanged.
#[derive(Clone, Template)]
#[template(path = "field.html")]
pub struct Field {
    control: Control,
    name: &'static str,
    id: String,
    label: Text,
    value: String,
    hint: Text,
    error: Text,
    placeholder: Text,
    autocomplete: &'static str,
    required: bool,
    disabled: bool,
    focus: bool,
    digits: bool,
    mono: bool,
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A value may be a password that is given back with an error.
        f.debug_struct("Field").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Field {
    fn new(control: Control, name: &'static str, label: impl Into<Text>) -> Self {
        Field {
            control,
            name,
            id: name.to_owned(),
            label: label.into(),
            value: String::new(),
            hint: Text::default(),
            error: Text::default(),
            placeholder: Text::default(),
            autocomplete: "off",
            required: false,
            disabled: false,
            focus: false,
            digits: false,
            mono: false,
        }
    }

    /// One line.
    #[must_use]
    pub fn text(name: &'static str, label: impl Into<Text>) -> Self {
        Field::new(Control::Input("text"), name, label)
    }

    /// One line that is not shown; its value is never sent to the browser. `kind` is `current-password`,
    /// `new-password` or `one-time-code`.
    #[must_use]
    pub fn password(name: &'static str, label: impl Into<Text>, kind: &'static str) -> Self {
        Field { autocomplete: kind, ..Field::new(Control::Input("password"), name, label) }
    }

    /// The digits that an authenticator app shows.
    #[must_use]
    pub fn code(name: &'static str, label: impl Into<Text>) -> Self {
        Field { digits: true, ..Field::text(name, label) }.autocomplete("one-time-code")
    }

    /// A number.
    #[must_use]
    pub fn number(name: &'static str, label: impl Into<Text>) -> Self {
        Field::new(Control::Input("number"), name, label)
    }

    /// A search; `/` leads to the first of a page.
    #[must_use]
    pub fn search(name: &'static str, label: impl Into<Text>) -> Self {
        Field::new(Control::Input("search"), name, label)
    }

    /// One of several, closed.
    #[must_use]
    pub fn select(
        name: &'static str,
        label: impl Into<Text>,
        choices: impl IntoIterator<Item = Choice>,
    ) -> Self {
        Field::new(Control::Select(choices.into_iter().collect()), name, label)
    }

    /// One of several, open.
    #[must_use]
    pub fn radios(
        name: &'static str,
        label: impl Into<Text>,
        choices: impl IntoIterator<Item = Choice>,
    ) -> Self {
        Field::new(Control::Radios(choices.into_iter().collect()), name, label)
    }

    /// Several lines.
    #[must_use]
    pub fn area(name: &'static str, label: impl Into<Text>, rows: u8) -> Self {
        Field::new(Control::Area(rows), name, label)
    }

    /// Yes (`on`) or no (not sent).
    #[must_use]
    pub fn checkbox(name: &'static str, label: impl Into<Text>, checked: bool) -> Self {
        Field::new(Control::Checkbox(checked), name, label)
    }

    /// What stands in it, or which choice is chosen.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        self
    }

    /// Its id in the page; needed where two forms of one page have fields of the same name.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// The same for a form that shares its page: its name behind a prefix is its id.
    pub(super) fn of(self, form: &str) -> Self {
        let id = format!("{form}-{}", self.name);
        self.id(id)
    }

    /// What helps to fill it in.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Text>) -> Self {
        self.hint = hint.into();
        self
    }

    /// What is wrong with the value.
    #[must_use]
    pub fn error(mut self, error: impl Into<Text>) -> Self {
        self.error = error.into();
        self
    }

    /// An example.
    #[must_use]
    pub fn placeholder(mut self, placeholder: impl Into<Text>) -> Self {
        self.placeholder = placeholder.into();
        self
    }

    /// What browsers may fill in, by its HTML name: `username`, `email`.
    #[must_use]
    pub fn autocomplete(mut self, kind: &'static str) -> Self {
        self.autocomplete = kind;
        self
    }

    /// Must be filled in.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// Cannot be changed now.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.disabled = true;
        self
    }

    /// Where somebody who opens the page begins to type; at most one of a page.
    #[must_use]
    pub fn focus(mut self) -> Self {
        self.focus = true;
        self
    }

    /// In a font of equal widths: ids, policies, keys.
    #[must_use]
    pub fn mono(mut self) -> Self {
        self.mono = true;
        self
    }

    fn described_by(&self) -> String {
        let hint = if self.hint.is_empty() { String::new() } else { format!("{}-hint", self.id) };
        let error = if self.error.is_empty() { String::new() } else { format!("{}-error", self.id) };
        [hint, error].into_iter().filter(|id| !id.is_empty()).collect::<Vec<_>>().join(" ")
    }

    fn shown_value(&self) -> &str {
        if matches!(self.control, Control::Input("password")) { "" } else { &self.value }
    }
}

/// A form with its fields and buttons.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<form class="form{% if wide %} wide{% endif %}" method="{% if csrf.is_some() %}post{% else %}get{% endif %}" action="{{ action }}"{% if !preview.is_empty() %} data-preview="{{ preview }}" data-preview-into="{{ preview_into }}"{% endif %}>{% if let Some(csrf) = csrf.as_ref() %}{{ csrf }}{% endif %}{{ fields }}<div class="form-end">{% for button in buttons %}{{ button }}{% endfor %}</div></form>"#,
    ext = "html"
)]
pub struct Form {
    action: Href,
    csrf: Option<Csrf>,
    wide: bool,
    preview: String,
    preview_into: &'static str,
    fields: Html,
    buttons: Vec<Html>,
}

impl Form {
    /// A form that changes something.
    #[must_use]
    pub fn post(action: Href, csrf: &Csrf) -> Self {
        Form { csrf: Some(csrf.clone()), ..Form::get(action) }
    }

    /// A form that asks for something.
    #[must_use]
    pub fn get(action: Href) -> Self {
        Form {
            action,
            csrf: None,
            wide: false,
            preview: String::new(),
            preview_into: "",
            fields: Html::new(),
            buttons: Vec::new(),
        }
    }

    /// As wide as what it stands in: for long texts.
    #[must_use]
    pub fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// One more field, or any other markup between the fields.
    #[must_use]
    pub fn field(mut self, field: impl Into<Html>) -> Self {
        self.fields = self.fields.then(field);
        self
    }

    /// Posts itself to `to` shortly after a change and puts the fragment that comes back into the element with the id
    /// `into`. Needs script; without it there is the form's button.
    #[must_use]
    pub fn preview(mut self, to: &Href, into: &'static str) -> Self {
        self.preview = to.as_str().to_owned();
        self.preview_into = into;
        self
    }

    /// The button that sends it.
    #[must_use]
    pub fn button(mut self, button: Button) -> Self {
        self.buttons.push(button.into());
        self
    }

    /// A link beside the buttons: `Cancel`.
    #[must_use]
    pub fn link(mut self, link: super::Link) -> Self {
        self.buttons.push(link.into());
        self
    }
}
