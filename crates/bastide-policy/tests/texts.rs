//! Policy texts as people write them: what is wrong with them, where, and what is odd.

#![allow(clippy::unwrap_used, reason = "tests")]

use bastide_policy::{LintKind, PolicySet};
use proptest::prelude::*;

fn complaint(text: &str) -> String {
    let error = PolicySet::parse(text).unwrap_err();
    assert_eq!(error.to_problem().status, 400);
    assert!(!error.problems().is_empty());
    error.to_string()
}

#[test]
fn every_complaint_says_where_and_what_to_do() {
    let invoke = "action == Bastide::Action::\"invoke\"";
    let table: Vec<(String, &[&str])> = vec![
        ("permit (principal, action, resource)".into(), &["line 1, column 37", "unexpected end of input"]),
        ("\n\n  permitt (principal, action, resource);".into(), &["line 3, column 3", "permit"]),
        (
            format!("@id(\"a\") permit (principal, {invoke}, resource)\nwhen {{ context.streem }};"),
            &["policy `a`, line 2, column 8", "streem", "did you mean `stream`"],
        ),
        (
            "@id(\"a\")\npermit (principal, action == Bastide::Action::\"invoek\", resource);".into(),
            &["policy `a`, line 2, column 30", "did you mean `Bastide::Action::\"invoke\"`"],
        ),
        (
            format!("@id(\"a\") permit (principal, {invoke}, resource) when {{ context.categories.contains(\"X\") }};"),
            &["policy `a`, line 1", "categories"],
        ),
        (
            "@id(\"a\") permit (principal in Bastide::Team::\"x\", action, resource);".into(),
            &["policy `a`, line 1, column 31", "Bastide::Team"],
        ),
        (
            "@id(\"a\") forbid (principal, action == Bastide::Action::\"release\", resource) \
             when { context.scores.SECRET > 500 };"
                .into(),
            &["policy `a`", "SECRET", "has"],
        ),
        ("@id(\"a b\") permit (principal, action, resource);".into(), &["line 1, column 1", "`@id` has 1 to 100"]),
        (
            "@id(\"a\") permit (principal, action, resource);\n@id(\"a\") permit (principal, action, resource);".into(),
            &["policy `a`, line 2, column 1", "policy on line 1 has the same `@id`", "give each policy its own"],
        ),
        ("permit (principal == ?principal, action, resource);".into(), &["line 1, column 22", "template", "where the slot is"]),
        ("@id(\"a\") @ask(\"x\\ny\") permit (principal, action, resource);".into(), &["`@ask`", "one line"]),
    ];
    for (text, parts) in table {
        let complaint = complaint(&text);
        for part in parts {
            assert!(complaint.contains(part), "{text}\n-> {complaint}\nlacks `{part}`");
        }
    }
}

#[test]
fn a_text_in_another_language_is_one_short_answer() {
    let error = PolicySet::parse(&"{\"Statement\": [{\"Effect\": \"Allow\"}]}\n".repeat(500)).unwrap_err();
    assert!(error.problems().len() <= 20);
    assert!(error.to_string().len() < 20_000);
}

#[test]
fn odd_things_are_pointed_out() {
    let head = |action: &str| {
        format!("(principal in Bastide::Project::\"p\", action == Bastide::Action::\"{action}\", resource)")
    };
    let lints = |text: &str| {
        let set = PolicySet::parse(text).unwrap();
        set.lints().iter().map(|l| (l.kind, l.line, l.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(lints("")[0].0, LintKind::Empty);
    assert_eq!(lints(&format!("\npermit {};", head("invoke")))[0].0, LintKind::NoId);
    let unscoped = lints("// first\n@id(\"a\") permit (principal, action, resource);");
    assert_eq!((unscoped.len(), unscoped[0].0, unscoped[0].1), (1, LintKind::Unscoped, 2));
    assert!(lints("@id(\"a\") @unscoped(\"it must\") permit (principal, action, resource);").is_empty());
    for (condition, word) in [
        ("context.categories.contains(\"CREDITCARD\")", "CREDITCARD"),
        ("context.categories.containsAny([\"SECRET\", \"secret\"])", "secret"),
        ("[\"EMAIL\"].containsAll(context.categories)", "EMAIL"),
        ("context.verdict == \"blocked\"", "blocked"),
        ("\"deny\" != context.verdict || true", "deny"),
        ("!(context.stream && [\"hold\", \"ban\"].contains(context.verdict))", "ban"),
        ("if context.stream then context.origins.contains(\"tool\") else false", "tool"),
    ] {
        let found = lints(&format!("@id(\"a\") forbid {} when {{ {condition} }};", head("release")));
        assert_eq!(found.len(), 1, "{condition}: {found:?}");
        assert_eq!(found[0].0, LintKind::UnknownWord);
        assert!(found[0].2.contains(&format!("`{word}`")), "{found:?}");
    }
    let impossible = lints(&format!("@id(\"a\") permit {} when {{ false }};", head("invoke")));
    assert_eq!(impossible[0].0, LintKind::Checker);
    assert!(PolicySet::starter().lints().is_empty(), "{:?}", PolicySet::starter().lints());
}

#[test]
fn the_grants_offered_in_the_starter_policy_work() {
    let text = PolicySet::starter().text().to_owned();
    let (_, grants) = text.split_once("grants to copy").unwrap();
    let copied: String =
        grants.lines().filter_map(|l| l.strip_prefix("//   ")).map(|l| format!("{l}\n")).collect();
    let set = PolicySet::parse(&format!("{text}\n{copied}")).unwrap();
    assert_eq!(set.len(), PolicySet::starter().len() + 4);
    assert!(set.lints().is_empty(), "{:?}", set.lints());
}

#[test]
fn the_digest_is_of_the_text_and_stable() {
    let starter = PolicySet::starter();
    assert_eq!(starter.digest(), PolicySet::starter().digest());
    assert_ne!(starter.digest(), PolicySet::parse(&format!("{} ", starter.text())).unwrap().digest());
}

/// The deepest and longest texts that pass the scan, in a stack as small as a server's worker has.
#[test]
fn no_text_overflows_the_stack() {
    let when = |condition: String| {
        format!("@id(\"a\") permit (principal, action, resource) when {{ {condition} }};")
    };
    let chain = |n: usize, item: &str, op: &str| vec![item; n].join(op);
    let texts: Vec<String> = vec![
        when(chain(1_000, "context.stream", " && ")),
        when(chain(300, "context.stream", " && ")),
        when(chain(300, "context.stream", " || ")),
        when(format!("{}context.stream{}", "(".repeat(31), ")".repeat(31))),
        when(format!("{}context.stream{}", "(".repeat(100_000), ")".repeat(100_000))),
        when("(".repeat(200_000)),
        when(format!("{}true{}", "if context.stream then (".repeat(30), ") else false".repeat(30))),
        when(format!("{}true", "if context.stream then false else ".repeat(400))),
        when(format!("{}true", "if context.stream then false else ".repeat(100_000))),
        when(format!("context{}", ".stream".repeat(500))),
        when(format!("context{}", ".stream".repeat(100_000))),
        when(format!("{}context.stream", "!".repeat(1_000))),
        when(format!("{}context.stream", "! ".repeat(400))),
        when(format!("1 + {} > 3", chain(450, "2", " + "))),
        when(format!(
            "[{}].contains(\"x\")",
            chain(5_000, "\"some-model-name\"", ", ").get(..60_000).unwrap_or("")
        )),
        when(format!("[{}].contains(\"x\")", chain(3_000, "\"model\"", ", "))),
        when(format!("context.tools{}", " has a".repeat(20_000))),
        when(format!("context.stream{}", " == true".repeat(20_000))),
        "permit (principal, action, resource);".repeat(2_000),
        format!("@id(\"{}\") permit (principal, action, resource);", "x".repeat(60_000)),
        "@a ".repeat(20_000),
        "when { true } ".repeat(4_000),
        format!("permit (principal, action, resource) {};", "when { true } ".repeat(4_000)),
        "\u{0}\u{ffff}\"".into(),
    ];
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || {
            for text in texts {
                let _ = PolicySet::parse(&text);
            }
        })
        .unwrap()
        .join()
        .unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in "([a-z@(){};.\"=&| \n]|permit|forbid|principal|action|resource|when|Bastide::Key::){0,60}") {
        if let Err(error) = PolicySet::parse(&text) {
            prop_assert!(error.problems().iter().all(|p| p.line >= 1 && p.column >= 1));
        }
    }

    #[test]
    fn a_damaged_starter_never_panics(at in 0usize..4_000, with in "\\PC{0,3}") {
        let mut chars: Vec<char> = include_str!("../src/starter.cedar").chars().collect();
        let at = at.min(chars.len() - 1);
        chars.splice(at..=at, with.chars());
        let _ = PolicySet::parse(&chars.into_iter().collect::<String>());
    }
}
