//! A small reader of source text that knows words, strings, numbers and comments. It colours; it does not judge.

/// What a text is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// Nothing that has colours.
    #[default]
    Plain,
    /// A Cedar policy or schema.
    Cedar,
    /// JSON.
    Json,
    /// TOML.
    Toml,
    /// A command line.
    Shell,
}

/// What a piece of source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Plain,
    Keyword,
    Name,
    String,
    Number,
    Comment,
}

impl Piece {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Piece::Plain => "",
            Piece::Keyword => "k",
            Piece::Name => "n",
            Piece::String => "s",
            Piece::Number => "d",
            Piece::Comment => "c",
        }
    }
}

impl Language {
    fn comment(self) -> &'static str {
        match self {
            Language::Cedar => "//",
            Language::Toml | Language::Shell => "#",
            Language::Plain | Language::Json => "",
        }
    }

    fn keywords(self) -> &'static [&'static str] {
        match self {
            Language::Cedar => &[
                "permit",
                "forbid",
                "when",
                "unless",
                "principal",
                "action",
                "resource",
                "context",
                "if",
                "then",
                "else",
                "in",
                "like",
                "has",
                "is",
                "true",
                "false",
                "entity",
                "appliesTo",
                "namespace",
                "type",
            ],
            Language::Json => &["true", "false", "null"],
            Language::Toml => &["true", "false", "inf", "nan"],
            Language::Shell => &[
                "if", "then", "else", "fi", "for", "do", "done", "while", "case", "esac", "export", "in",
                "sudo",
            ],
            Language::Plain => &[],
        }
    }

    fn quotes(self) -> &'static [char] {
        match self {
            Language::Plain => &[],
            Language::Cedar | Language::Json => &['"'],
            Language::Toml | Language::Shell => &['"', '\''],
        }
    }
}

/// The pieces of one line; together they are the line. A string ends with its line, so a text of several lines is read
/// line by line without memory.
pub(super) fn pieces(language: Language, line: &str) -> Vec<(Piece, &str)> {
    let mut pieces: Vec<(Piece, &str)> = Vec::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let before = line.get(..line.len() - rest.len()).unwrap_or_default();
        let (piece, len) = piece(language, before, rest, first);
        let (taken, left) = rest.split_at_checked(len).unwrap_or((rest, ""));
        pieces.push((piece, taken));
        rest = left;
    }
    pieces
}

fn piece(language: Language, before: &str, rest: &str, first: char) -> (Piece, usize) {
    let comment = language.comment();
    // In a shell, `#` inside a word is no comment.
    let apart = language != Language::Shell || before.is_empty() || before.ends_with(char::is_whitespace);
    if !comment.is_empty() && rest.starts_with(comment) && apart {
        return (Piece::Comment, rest.len());
    }
    if language.quotes().contains(&first) {
        let len = string(rest, first, language != Language::Shell || first == '"');
        let after = rest.get(len..).unwrap_or_default().trim_start();
        let is_name = language == Language::Json && after.starts_with(':');
        return (if is_name { Piece::Name } else { Piece::String }, len);
    }
    if is_word(first) {
        let len = run(rest, |c| is_word(c) || c == '-' || (first.is_ascii_digit() && c == '.'));
        let word = rest.get(..len).unwrap_or_default();
        let after = rest.get(len..).unwrap_or_default().trim_start();
        return (word_piece(language, before, word, after), len);
    }
    if language == Language::Shell && first == '$' {
        return (
            Piece::Name,
            1 + run(rest.get(1..).unwrap_or_default(), |c| is_word(c) || "{}?".contains(c)),
        );
    }
    if language == Language::Toml && first == '[' && before.trim().is_empty() {
        return (Piece::Name, rest.find('#').unwrap_or(rest.len()));
    }
    (Piece::Plain, run_of_rest(language, rest, first))
}

fn word_piece(language: Language, before: &str, word: &str, after: &str) -> Piece {
    if language.keywords().contains(&word) {
        return Piece::Keyword;
    }
    // In a shell, digits inside a word are part of it.
    let apart = language != Language::Shell || before.is_empty() || before.ends_with(char::is_whitespace);
    if language != Language::Plain && apart && word.starts_with(|c: char| c.is_ascii_digit()) {
        return Piece::Number;
    }
    let is_name = match language {
        Language::Cedar => after.starts_with("::"),
        Language::Toml => !before.contains('=') && (after.starts_with('=') || after.starts_with('.')),
        Language::Shell => before.trim().is_empty() || before.ends_with('-'),
        Language::Plain | Language::Json => false,
    };
    if is_name { Piece::Name } else { Piece::Plain }
}

fn string(rest: &str, quote: char, escapes: bool) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if escapes => escaped = true,
            _ if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// The first character and those after it that begin nothing.
fn run_of_rest(language: Language, rest: &str, first: char) -> usize {
    let comment = language.comment();
    let begins = |c: char| {
        is_word(c) || language.quotes().contains(&c) || c == '$' || c == '[' || comment.starts_with(c)
    };
    let after = rest.get(first.len_utf8()..).unwrap_or_default();
    first.len_utf8() + run(after, |c| !begins(c))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(language: Language, line: &str) -> String {
        let shown = |(piece, text): (Piece, &str)| match piece.class() {
            "" => text.to_owned(),
            class => format!("⟨{class} {text}⟩"),
        };
        pieces(language, line).into_iter().map(shown).collect()
    }

    #[test]
    fn each_language_has_its_words() {
        let cedar = r#"permit(principal in Team::"a\"b", action) when { 1 < 2 }; // why"#;
        insta::assert_snapshot!(read(Language::Cedar, cedar), @r#"⟨k permit⟩(⟨k principal⟩ ⟨k in⟩ ⟨n Team⟩::⟨s "a\"b"⟩, ⟨k action⟩) ⟨k when⟩ { ⟨d 1⟩ < ⟨d 2⟩ }; ⟨c // why⟩"#);
        insta::assert_snapshot!(read(Language::Json, r#"{"a": ["b", -1.5, null]}"#), @r#"{⟨n "a"⟩: [⟨s "b"⟩, -⟨d 1.5⟩, ⟨k null⟩]}"#);
        insta::assert_snapshot!(read(Language::Toml, "[guard] # it"), @"⟨n [guard] ⟩⟨c # it⟩");
        insta::assert_snapshot!(read(Language::Toml, "mode = 'observe'"), @"⟨n mode⟩ = ⟨s 'observe'⟩");
        insta::assert_snapshot!(read(Language::Shell, r#"curl -H "a: $KEY" http://x/#y $HOME # end"#), @r#"⟨n curl⟩ -⟨n H⟩ ⟨s "a: $KEY"⟩ http://x/#y ⟨n $HOME⟩ ⟨c # end⟩"#);
        insta::assert_snapshot!(read(Language::Plain, "permit 1 \"x\""), @r#"permit 1 "x""#);
    }

    proptest! {
        #[test]
        fn the_pieces_are_the_line(line in "\\PC{0,60}", which in 0usize..5) {
            let language = [Language::Plain, Language::Cedar, Language::Json, Language::Toml, Language::Shell][which];
            let joined: String = pieces(language, &line).into_iter().map(|(_, text)| text).collect();
            prop_assert_eq!(joined, line);
        }
    }
}
