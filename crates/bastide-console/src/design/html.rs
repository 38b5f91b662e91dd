//! Text that is shown as it is, and markup that only this crate makes.

use std::fmt;

use askama::{FastWritable, Template, filters::HtmlSafe};

/// Text of any origin, ready to be shown: characters that a reader would not see, or that would turn the line around,
/// stand there by name. It is still text: templates escape it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// The text as it is shown, not yet escaped.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to show.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        let mut shown = String::with_capacity(text.len());
        for c in text.chars() {
            push_visible(&mut shown, c);
        }
        Text(shown)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        if text.chars().any(is_hidden) { Text::from(text.as_str()) } else { Text(text) }
    }
}

impl From<&String> for Text {
    fn from(text: &String) -> Self {
        Text::from(text.as_str())
    }
}

fn push_visible(shown: &mut String, c: char) {
    if !is_hidden(c) {
        shown.push(c);
        return;
    }
    let code = u32::from(c);
    let picture = match code {
        // Unicode has a picture for every control character of ASCII.
        0..0x20 => char::from_u32(0x2400 + code),
        0x7f => Some('\u{2421}'),
        _ => None,
    };
    match picture {
        Some(picture) => shown.push(picture),
        None => shown.push_str(&format!("\u{27e8}U+{code:04X}\u{27e9}")),
    }
}

/// Controls, marks that reorder a line (CVE-2021-42574), characters without a shape, and the tags and selectors in which
/// text is smuggled. The joiners of Persian, Indic scripts and emoji stay: words break without them.
fn is_hidden(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}' => true,
        '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' => true,
        '\u{e0000}'..='\u{e01ef}' => true,
        _ => c.is_control(),
    }
}

/// Markup. Only the parts of this crate make it, so whatever has this type has been escaped; text becomes one by being
/// escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Html(String);

impl Html {
    /// Nothing.
    #[must_use]
    pub const fn new() -> Self {
        Html(String::new())
    }

    /// One after the other.
    #[must_use]
    pub fn join(parts: impl IntoIterator<Item = impl Into<Html>>) -> Self {
        let mut all = Html::new();
        for part in parts {
            all.0.push_str(&part.into().0);
        }
        all
    }

    /// This, then `next`.
    #[must_use]
    pub fn then(mut self, next: impl Into<Html>) -> Self {
        self.0.push_str(&next.into().0);
        self
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The markup.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The markup, for the body of a response.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }

    /// What a template of this crate makes. Templates over values in memory do not fail; one that did leaves a visible
    /// gap and not half a page.
    pub(crate) fn of(template: &impl Template) -> Self {
        match template.render() {
            Ok(markup) => Html(markup),
            Err(_) => Html::raw("<p>this part of the page could not be shown</p>".to_owned()),
        }
    }

    /// Markup that the caller built and answers for: drawn numbers and constant names, never text.
    pub(crate) const fn raw(markup: String) -> Self {
        Html(markup)
    }
}

impl fmt::Display for Html {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FastWritable for Html {
    fn write_into(&self, dest: &mut dyn fmt::Write, _: &dyn askama::Values) -> askama::Result<()> {
        Ok(dest.write_str(&self.0)?)
    }
}

impl HtmlSafe for Html {}

impl From<Text> for Html {
    fn from(text: Text) -> Self {
        Html(escaped(&text))
    }
}

impl From<&str> for Html {
    fn from(text: &str) -> Self {
        Text::from(text).into()
    }
}

impl From<String> for Html {
    fn from(text: String) -> Self {
        Text::from(text).into()
    }
}

impl From<&String> for Html {
    fn from(text: &String) -> Self {
        Text::from(text).into()
    }
}

/// Escaped for an element's text and for a quoted attribute alike.
pub(crate) fn escaped(text: &Text) -> String {
    let mut markup = String::with_capacity(text.0.len());
    for c in text.0.chars() {
        match c {
            '<' => markup.push_str("&#60;"),
            '>' => markup.push_str("&#62;"),
            '&' => markup.push_str("&#38;"),
            '"' => markup.push_str("&#34;"),
            '\'' => markup.push_str("&#39;"),
            _ => markup.push(c),
        }
    }
    markup
}

/// Text in which words between backticks are what somebody wrote: messages quote so.
pub(crate) fn prose(text: &Text) -> Html {
    let pieces: Vec<&str> = text.0.split('`').collect();
    // An odd backtick belongs to nobody and stays as it is.
    let quotes = (pieces.len() - 1) / 2 * 2;
    let mut markup = String::with_capacity(text.0.len());
    for (nth, piece) in pieces.into_iter().enumerate() {
        let piece = escaped(&Text(piece.to_owned()));
        match nth {
            _ if nth < quotes && nth % 2 == 1 => markup.push_str(&format!("<code>{piece}</code>")),
            _ if nth > quotes => markup.push_str(&format!("`{piece}")),
            _ => markup.push_str(&piece),
        }
    }
    Html(markup)
}

/// Lets a template stand wherever markup is taken: in another template, and as `impl Into<Html>`.
macro_rules! component {
    ($($name:ident),+ $(,)?) => {$(
        impl askama::filters::HtmlSafe for $name {}

        impl From<$name> for $crate::design::Html {
            fn from(part: $name) -> Self {
                $crate::design::Html::of(&part)
            }
        }

        impl From<&$name> for $crate::design::Html {
            fn from(part: &$name) -> Self {
                $crate::design::Html::of(part)
            }
        }
    )+};
}
pub(crate) use component;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_would_not_see_stands_there_by_name() {
        assert_eq!(Text::from("a\u{202e}b\u{0}c\u{7f}\u{85}").as_str(), "a⟨U+202E⟩b␀c␡⟨U+0085⟩");
        assert_eq!(
            Text::from("zero\u{200b}width \u{e0041}".to_owned()).as_str(),
            "zero⟨U+200B⟩width ⟨U+E0041⟩"
        );
        assert_eq!(Text::from("a\tb\nc").as_str(), "a\tb\nc");
        assert_eq!(Text::from("👩\u{200d}🚀 می\u{200c}خواهم").as_str(), "👩\u{200d}🚀 می\u{200c}خواهم");
    }

    #[test]
    fn quoted_words_are_code_and_odd_backticks_stay() {
        let read = |text: &str| prose(&Text::from(text)).into_string();
        assert_eq!(read("key `<a>` made"), "key <code>&#60;a&#62;</code> made");
        assert_eq!(read("`a` and `b"), "<code>a</code> and `b");
        assert_eq!(read("`"), "`");
        assert_eq!(read(""), "");
    }

    #[test]
    fn text_becomes_markup_by_being_escaped() {
        assert_eq!(Html::from("<b>\"'&").as_str(), "&#60;b&#62;&#34;&#39;&#38;");
        assert_eq!(Html::from("a").then("<").then(Html::from("b")).as_str(), "a&#60;b");
    }
}
