//! What each part is, as a file to read and to compare with.

use std::time::Duration;

use bastide_console::*;
use bastide_types::{Timestamp, Verdict};

const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

/// One tag to a line, so that a difference is a line.
fn golden(name: &str, part: impl Into<Html>) {
    insta::assert_snapshot!(name, part.into().as_str().replace("><", ">\n<"));
}

fn ago(seconds: u64) -> When {
    When::new(Timestamp::from_micros(NOW.as_micros() - seconds * 1_000_000), NOW)
}

fn at(path: &'static str) -> Href {
    Href::page(path)
}

fn csrf() -> Csrf {
    Csrf::new("token")
}

#[test]
fn words() {
    golden(
        "badges",
        Html::join(Verdict::ALL.iter().map(|verdict| Badge::from(*verdict))).then(Badge::busy("rotating")),
    );
    golden("chip", Chip::new(Tone::Tokenise, "‹EMAIL_1›"));
    golden(
        "id",
        Html::from(Id::new("key_01")).then(Id::plain("key_02")).then(Id::new("JBSWY3DPEH").grouped()),
    );
    golden("icon-and-mark", Html::from(Icon::Keys).then(Mark));
    golden("times", Html::from(ago(301)).then(When::exact(NOW)));
}

#[test]
fn buttons_and_links() {
    golden(
        "buttons",
        Html::join([
            Button::new("Save").primary().sends("then", "stay"),
            Button::new("Saving").busy(),
            Button::new("Edit").small().quiet().disabled(),
            Button::new("Find").icon(Icon::Search),
        ])
        .then(PostButton::new(
            at("/console/x"),
            &csrf(),
            Button::new("Delete").danger().confirm("Delete it?"),
        )),
    );
    golden(
        "links",
        Html::join([
            Link::new(at("/console/keys"), "Keys"),
            Link::button(at("/console/keys/new"), "New key").primary().icon(Icon::Plus).small(),
            Link::new(Href::parse("https://docs.example/").unwrap(), "Documentation"),
        ]),
    );
}

#[test]
fn boxes_and_figures() {
    golden("facts", Facts::new().fact("Name", "billing").fact("Note", ""));
    let stat =
        Stat::new("Refused", "37").unit("a day").delta(Tone::Block, "+12").href(at("/console/exchanges"));
    golden(
        "tiles",
        Tiles::new([
            stat.trend(Sparkline::new("Refused", Tone::Block, [1.0, 4.0, 2.0])),
            Stat::new("Keys", "4"),
        ]),
    );
    golden("card", Card::new("Traffic").note("24 hours").end("end").body("body").flush());
    golden("section", Section::new("Traffic").note("24 hours").body(Paragraph::new("body").hush()));
    golden("columns", Columns::new(["a".into(), LineUp::new(["b".into(), "c".into()]).into()]).wide_first());
}

#[test]
fn tables() {
    let columns = || {
        [
            Column::text("Name").sort(Sort::Ascending, at("/console/keys?sort=-name")),
            Column::number("Requests").sort(Sort::Not, at("/console/keys?sort=n")),
        ]
    };
    let row =
        || Row::new(["billing".into(), "1,204".into()]).href(at("/console/keys/1")).tag("state", "active");
    let pages = Pages { previous: None, next: Some(at("/console/keys?after=1")), note: "2 of 9".into() };
    golden("table", Table::new("Keys", columns()).row(row()).row(Row::new(["short".into()])).pages(pages));
    let empty = Empty::new("No keys yet", "Make one.").link(Link::button(at("/console/keys/new"), "New key"));
    golden("table-empty", Table::new("Keys", columns()).empty(empty));
    golden("row-fragment", row().fragment(&columns()));
    let filter = || {
        Field::select("state", "State", [Choice::new("", "any"), Choice::new("active", "active")])
            .value("active")
    };
    golden(
        "live",
        Live::new(at("/console/live/events"), at("/console/live"), Table::new("Live", columns()))
            .filter(filter()),
    );
    golden(
        "filters",
        Filters::new(at("/console/keys"))
            .field(Field::search("q", "Search"))
            .field(filter())
            .clear(at("/console/keys")),
    );
    golden("refresh", Refresh::new("Jobs", at("/console/jobs"), 0, "none"));
}

#[test]
fn forms() {
    let choices = || [Choice::new("a", "First").hint("the one"), Choice::new("b", "Second")];
    let form = Form::post(at("/console/keys"), &csrf())
        .field(
            Field::text("name", "Name")
                .value("\"x\"")
                .hint("its `name`")
                .error("`x` is taken")
                .required()
                .placeholder("billing"),
        )
        .field(Field::password("password", "Password", "current-password"))
        .field(Field::number("limit", "Limit").value("5").disabled())
        .field(Field::select("one", "One", choices()).value("b"))
        .field(Field::radios("two", "Two", choices()).value("a").error("no"))
        .field(Field::area("text", "Text", 3).value("\nfirst line is empty").mono())
        .field(Field::checkbox("yes", "Yes", true))
        .preview(&at("/console/preview"), "shown")
        .button(Button::new("Save").primary())
        .link(Link::new(at("/console/keys"), "Cancel"));
    golden("form", form);
    let code = Form::post(at("/console/account"), &Csrf::new("t"))
        .wide()
        .field(Field::code("code", "Code").required().focus());
    golden("form-code", code);
}

#[test]
fn notices_and_what_opens() {
    golden("flashes", Html::join([Flash::done("key `a` made"), Flash::failed("not saved")]));
    golden(
        "callouts",
        Html::join([
            Callout::new(Tone::Accent, "Observing"),
            Callout::new(Tone::Block, "Stopped").body("why"),
        ]),
    );
    golden("empty", Empty::new("Nothing", ""));
    golden("dialog", Dialog::new("Revoke…", "Revoke `a`?", "form").danger());
    golden(
        "disclosure",
        Html::from(Disclosure::new("More", "body")).then(Disclosure::new("Open", "body").open()),
    );
    golden(
        "tabs",
        Tabs::new("Key", 1).tab("Use", at("/console/a")).counted("Findings", at("/console/b"), "3"),
    );
}

#[test]
fn order_in_time() {
    golden(
        "timeline",
        Timeline::new([
            Moment::new(ago(2), Tone::Block, "Refused by `p`").body("2 findings"),
            Moment::new(ago(90), Tone::Allow, "Sent"),
        ]),
    );
    golden(
        "steps",
        Steps::new().step(Step::Done, "One", "").step(Step::Now, "Two", "do it").step(
            Step::Later,
            "Three",
            "not shown",
        ),
    );
    golden(
        "progress",
        Html::join([
            Progress::job("Job", None, "counting"),
            Progress::budget("Budget", 85, "85 of 100"),
            Progress::budget("Full", 200, "2 of 1"),
        ]),
    );
    let (ms, bar) = (Duration::from_millis, "inspect");
    golden(
        "waterfall",
        Waterfall::new("Time").bar(bar, Tone::Accent, ms(0), ms(2)).bar(
            "provider",
            Tone::Tokenise,
            ms(2),
            ms(38),
        ),
    );
}

#[test]
fn text() {
    golden(
        "code",
        Code::new("a.cedar", Language::Cedar, "// why\npermit(principal, action, resource);\n").at(2),
    );
    golden(
        "code-around",
        Code::new("Where", Language::Plain, "one\ntwo\nthree\nfour\nfive\nsix\n").at(4).around(1),
    );
    golden("diff", Diff::new("a.toml", "a = 1\nb = 2\nc = 3\n", "a = 1\nb = 4\nc = 3\nd = 5\n"));
    golden("diff-same", Diff::new("a.toml", "a\n", "a\n"));
    let marked = Marked::new("pay DE89 to anna@example.org now")
        .masked(4..8, Tone::Tokenise, "IBAN_CODE", "iban.checksum", "‹IBAN_1›")
        .mark(12..28, Tone::Flag, "EMAIL_ADDRESS", "email.address");
    golden("marked", marked);
}

#[test]
fn charts() {
    let two = || {
        [
            Series::new("allow", Tone::Allow, [12.0, 30.0, 7.0]),
            Series::new("block", Tone::Block, [1.0, f64::NAN, 4.0]),
        ]
    };
    let days = ["mon", "tue", "wed"];
    golden("bars", two().into_iter().fold(BarChart::new("By verdict", days), BarChart::series));
    golden(
        "lines",
        two().into_iter().fold(LineChart::new("By verdict", days).unit(Unit::Millis), LineChart::series),
    );
    golden("bars-empty", BarChart::new("By verdict", days));
    golden(
        "heatmap",
        Heatmap::new("Findings", Tone::Tokenise, days).unit(Unit::Bytes).row("SECRET", [0.0, 2048.0, 9.0]),
    );
    golden(
        "gauge",
        Html::from(Gauge::new("used", Tone::Flag, 0.42)).then(Gauge::new("not known", Tone::Flag, f64::NAN)),
    );
    golden(
        "sparkline",
        Html::from(Sparkline::new("trend", Tone::Accent, [1.0, 3.0, 2.0])).then(Sparkline::new(
            "one",
            Tone::Accent,
            [1.0],
        )),
    );
    golden(
        "flow",
        Flow::new("Flow").link("a", ("allow", Tone::Allow), "openai", 30.0).link(
            "b",
            ("block", Tone::Block),
            "refused",
            10.0,
        ),
    );
}

/// Names of assets change with their content; the page around them does not.
fn page(markup: &str) -> String {
    let mut markup = markup.to_owned();
    for asset in assets() {
        markup = markup.replace(asset.file_name(), asset.content_type);
    }
    markup.replace("><", ">\n<")
}

#[test]
fn frames() {
    let mut context = example_context(Theme::Dark);
    context.nav = Nav::new()
        .group("Control", [NavEntry::new(Icon::Keys, "Keys", at("/console/keys")).key('k').count("3")])
        .group("Nothing permitted", []);
    let shell = Shell::new("Keys", &at("/console/keys?after=1"), &context)
        .crumb("Control", None)
        .lead("All of them.")
        .body("body");
    insta::assert_snapshot!("shell", page(&shell.render()));
    let bare = Bare::new("Sign in", Theme::System, "0.1.0").flash(Flash::failed("wrong")).wide().body("body");
    insta::assert_snapshot!("bare", page(&bare.render()));
}
