//! The frame around every page.

use askama::Template;

use crate::design::asset::{ASSET_PATH, FAVICON, SCRIPT, STYLE};
use crate::design::html::component;
use crate::design::nav::{Nav, NavView};
use crate::design::parts::{Badge, Callout, Csrf, Flash};
use crate::design::{Href, Html, Icon, Mark, Text};

/// Light, dark, or as the system says. The name is the value of the cookie and of the form that sets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// Every theme.
    pub const ALL: [Theme; 3] = [Theme::Light, Theme::Dark, Theme::System];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// From a cookie or form; what is unknown is as the system says.
    #[must_use]
    pub fn named(name: &str) -> Self {
        Theme::ALL.into_iter().find(|theme| theme.as_str() == name).unwrap_or_default()
    }

    fn icon(self) -> Icon {
        match self {
            Theme::System => Icon::Screen,
            Theme::Light => Icon::Sun,
            Theme::Dark => Icon::Moon,
        }
    }
}

/// What all pages of one request share.
#[derive(Clone, Debug)]
pub struct Context {
    /// The pages that exist and that this user may open.
    pub nav: Nav,
    /// Who is signed in.
    pub user: Text,
    /// Their role or address, below the name.
    pub user_note: Text,
    /// The theme of their cookie.
    pub theme: Theme,
    /// The token that their forms carry.
    pub csrf: Csrf,
    /// The project that the page speaks of, if one is chosen.
    pub project: Option<Text>,
    /// How the gateway is: a badge that leads to the system page.
    pub health: Option<(Badge, Href)>,
    /// What the last action left to say.
    pub flashes: Vec<Flash>,
    /// What is to be said on every page until it is mended.
    pub notices: Vec<Callout>,
    /// The version of the program, for the footer.
    pub version: Text,
}

/// A page with navigation. The forms of its user menu post to `/console/theme` (field `theme`) and `/console/sign-out`;
/// `/console/account` is the user's own page.
#[derive(Debug, Template)]
#[template(path = "shell.html")]
pub struct Shell<'a> {
    title: Text,
    lead: Text,
    context: &'a Context,
    nav: NavView,
    crumbs: Vec<(Text, Option<Href>)>,
    actions: Vec<Html>,
    tabs: Html,
    body: Html,
}

impl<'a> Shell<'a> {
    /// A page with this title, at this address; the navigation's entry of that address is the current one.
    #[must_use]
    pub fn new(title: impl Into<Text>, at: &Href, context: &'a Context) -> Self {
        Shell {
            title: title.into(),
            lead: Text::default(),
            context,
            nav: context.nav.view(at),
            crumbs: Vec::new(),
            actions: Vec::new(),
            tabs: Html::new(),
            body: Html::new(),
        }
    }

    /// A sentence below the title.
    #[must_use]
    pub fn lead(mut self, lead: impl Into<Text>) -> Self {
        self.lead = lead.into();
        self
    }

    /// A page above this one; outermost first.
    #[must_use]
    pub fn crumb(mut self, name: impl Into<Text>, href: Option<Href>) -> Self {
        self.crumbs.push((name.into(), href));
        self
    }

    /// A button beside the title.
    #[must_use]
    pub fn action(mut self, action: impl Into<Html>) -> Self {
        self.actions.push(action.into());
        self
    }

    /// The tabs below the title.
    #[must_use]
    pub fn tabs(mut self, tabs: impl Into<Html>) -> Self {
        self.tabs = tabs.into();
        self
    }

    /// What the page says; called again, what it says next.
    #[must_use]
    pub fn body(mut self, body: impl Into<Html>) -> Self {
        self.body = self.body.then(body);
        self
    }

    /// The whole document.
    #[must_use]
    pub fn render(&self) -> String {
        Html::of(self).into_string()
    }

    fn initials(&self) -> String {
        let first = |word: &str| word.chars().next();
        self.context
            .user
            .as_str()
            .split([' ', '.', '@'])
            .filter_map(first)
            .take(2)
            .collect::<String>()
            .to_uppercase()
    }
}

/// A page without navigation: signing in, setting up, an error.
#[derive(Debug, Template)]
#[template(path = "bare.html")]
pub struct Bare {
    title: Text,
    lead: Text,
    theme: Theme,
    version: Text,
    flashes: Vec<Flash>,
    wide: bool,
    body: Html,
}

impl Bare {
    /// A page with this title.
    #[must_use]
    pub fn new(title: impl Into<Text>, theme: Theme, version: impl Into<Text>) -> Self {
        Bare {
            title: title.into(),
            lead: Text::default(),
            theme,
            version: version.into(),
            flashes: Vec::new(),
            wide: false,
            body: Html::new(),
        }
    }

    /// A sentence below the title.
    #[must_use]
    pub fn lead(mut self, lead: impl Into<Text>) -> Self {
        self.lead = lead.into();
        self
    }

    /// Room for more than one short form: a setup with steps.
    #[must_use]
    pub fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// What the last action left to say.
    #[must_use]
    pub fn flash(mut self, flash: Flash) -> Self {
        self.flashes.push(flash);
        self
    }

    /// What the page says; called again, what it says next.
    #[must_use]
    pub fn body(mut self, body: impl Into<Html>) -> Self {
        self.body = self.body.then(body);
        self
    }

    /// The whole document.
    #[must_use]
    pub fn render(&self) -> String {
        Html::of(self).into_string()
    }
}

/// The head of both: icon, style and script by their hashed names.
#[derive(Template)]
#[template(
    source = r#"<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><meta name="referrer" content="same-origin"><link rel="icon" href="{{ ASSET_PATH }}{{ FAVICON.file_name() }}" type="image/svg+xml"><link rel="stylesheet" href="{{ ASSET_PATH }}{{ STYLE.file_name() }}"><script src="{{ ASSET_PATH }}{{ SCRIPT.file_name() }}" defer></script>"#,
    ext = "html"
)]
struct Head;

component!(Head);
