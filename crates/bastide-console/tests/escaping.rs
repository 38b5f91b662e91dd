//! Hostile text in every place where text can stand.

use std::time::Duration;

use bastide_console::*;
use bastide_types::Timestamp;
use html5gum::{Token, Tokenizer};
use proptest::prelude::*;

const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror='alert(2)'>`a`\u{202e}\u{0}{{ 7*7 }}";

/// A page with the text wherever a caller can give one.
fn page_of(text: &str) -> String {
    let href = || Href::page("/console/x").segment(text).query(text, text);
    let csrf = Csrf::new(text);
    let when = || When::exact(Timestamp::from_micros(0));
    let choices = || [Choice::new(text, text).hint(text)];
    let field = |field: Field| field.value(text).hint(text).error(text).placeholder(text);
    let mut context = example_context(Theme::Light);
    context.user = text.into();
    context.user_note = text.into();
    context.project = Some(text.into());
    context.health = Some((Badge::new(Tone::Allow, text), href()));
    context.flashes = vec![Flash::done(text), Flash::failed(text)];
    context.version = text.into();
    context.csrf = Csrf::new(text);
    context.nav = Nav::new().group(text, [NavEntry::new(Icon::Keys, text, href()).count(text).key('"')]);
    let form = Form::post(href(), &csrf)
        .field(field(Field::text("a", text)))
        .field(field(Field::password("b", text, "new-password")))
        .field(field(Field::search("c", text)))
        .field(field(Field::select("d", text, choices())))
        .field(field(Field::radios("e", text, choices())))
        .field(field(Field::area("f", text, 3)))
        .field(field(Field::checkbox("g", text, true)))
        .button(Button::new(text).sends("h", text).confirm(text))
        .link(Link::button(href(), text))
        .preview(&href(), "into");
    let table = Table::new(text, [Column::text(text).sort(Sort::Ascending, href()), Column::number(text)])
        .row(Row::new([text.into(), text.into()]).href(href()).tag("x", text))
        .pages(Pages { previous: Some(href()), next: Some(href()), note: text.into() });
    let series = || Series::new(text, Tone::Allow, [1.0, 2.0]);
    let parts = [
        Html::from(text),
        Chip::new(Tone::Flag, text).into(),
        Id::new(text).into(),
        CopyText::new(text).into(),
        Paragraph::new(text).into(),
        Facts::new().fact(text, text).into(),
        Tiles::new([Stat::new(text, text).unit(text).delta(Tone::Block, text).trend(Sparkline::new(
            text,
            Tone::Allow,
            [1.0],
        ))])
        .into(),
        Card::new(text).note(text).end(text).body(text).into(),
        Section::new(text).note(text).body(text).into(),
        Callout::new(Tone::Block, text).body(text).into(),
        Dialog::new(text, text, form).into(),
        Disclosure::new(text, text).into(),
        Filters::new(href()).clear(href()).into(),
        Live::new(href(), href(), table.clone()).into(),
        Refresh::new(text, href(), 5, text).into(),
        Table::new(text, []).empty(Empty::new(text, text).link(Link::new(href(), text))).into(),
        table.into(),
        Tabs::new(text, 0).counted(text, href(), text).into(),
        Timeline::new([Moment::new(when(), Tone::Hold, text).body(text)]).into(),
        Steps::new().step(Step::Now, text, text).into(),
        Progress::job(text, Some(3), text).into(),
        Waterfall::new(text).bar(text, Tone::Allow, Duration::ZERO, Duration::from_secs(1)).into(),
        Code::new(text, Language::Shell, text).into(),
        Diff::new(text, text, "other").into(),
        Marked::new(text)
            .mark(0..3, Tone::Flag, text, text)
            .masked(4..9, Tone::Redact, text, text, text)
            .into(),
        BarChart::new(text, [text]).series(series()).into(),
        LineChart::new(text, [text]).series(series()).into(),
        Heatmap::new(text, Tone::Flag, [text]).row(text, [1.0]).into(),
        Gauge::new(text, Tone::Flag, 0.5).into(),
        Flow::new(text).link(text, (text, Tone::Block), text, 1.0).into(),
    ];
    let bare = Bare::new(text, Theme::Dark, text).lead(text).flash(Flash::done(text)).body(text).render();
    Shell::new(text, &href(), &context)
        .lead(text)
        .crumb(text, Some(href()))
        .action(Button::new(text))
        .tabs(Tabs::new(text, 0).tab(text, href()))
        .body(Html::join(parts))
        .render()
        + &bare
}

/// Element names and attribute names, in order: what a text must not change.
fn skeleton(page: &str) -> Vec<(String, Vec<String>)> {
    Tokenizer::new(page)
        .filter_map(|token| match token {
            Ok(Token::StartTag(tag)) => {
                let names =
                    tag.attributes.keys().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
                Some((String::from_utf8_lossy(&tag.name).into_owned(), names))
            }
            _ => None,
        })
        .filter(|(name, _): &(String, Vec<String>)| !["code", "span"].contains(&name.as_str()))
        .collect()
}

#[test]
fn a_hostile_text_makes_no_element_and_no_attribute() {
    let page = page_of(HOSTILE);
    assert_eq!(skeleton(&page), skeleton(&page_of("an innocent text of one line")));
    assert_eq!(page.matches("<script").count(), 2, "one script in each head");
    assert!(!page.contains("<img"));
}

#[test]
fn a_mark_that_turns_the_line_is_in_the_page_only_where_a_value_must_go_back_unchanged() {
    let page = page_of("abc\u{202e}def");
    // Values of fields, of tags and of what is copied.
    for (at, _) in page.match_indices('\u{202e}') {
        let before = &page[..at];
        let raw = ["value=\"", "data-copy=\"", "data-x=\"", "rows=\"3\""];
        let open = before.rfind('<').map(|open| &before[open..]).unwrap_or_default();
        assert!(raw.iter().any(|raw| open.contains(raw)), "{open}");
    }
    assert!(page.contains("abc⟨U+202E⟩def"));
}

#[test]
fn a_password_is_not_given_back() {
    let field = Html::from(Field::password("p", "Password", "current-password").value("hunter2"));
    assert!(!field.as_str().contains("hunter2"));
    assert!(
        !format!("{:?}", Field::password("p", "Password", "current-password").value("hunter2"))
            .contains("hunter2")
    );
    assert!(!format!("{:?}", Csrf::new("hunter2")).contains("hunter2"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_text_changes_the_page(text in "[a-z]\\PC{12,40}|[a-z][<>\"'&=/` a-z]{12,40}") {
        prop_assume!(text.is_char_boundary(3) && text.is_char_boundary(4) && text.is_char_boundary(9));
        prop_assert_eq!(skeleton(&page_of(&text)), skeleton(&page_of("an innocent text of one line")));
    }
}
