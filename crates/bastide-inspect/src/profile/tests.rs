use bastide_types::{Severity, Span, View};

use super::*;

fn finding(category: Category, detector: &'static str, score: u16) -> Finding {
    Finding {
        category,
        span: Span::new(0, 1),
        score: Score::per_mille(score),
        severity: Severity::High,
        detector,
        reason: "".into(),
        view: View::Raw,
    }
}

fn judge(
    profile: &GuardProfile,
    category: Category,
    score: u16,
    origin: Origin,
    direction: Direction,
) -> Verdict {
    profile.judge(&finding(category, "x", score), origin, origin.trust(), direction)
}

#[test]
fn the_default_profile() {
    use Category::{CreditCard, InvisibleText, Placeholder, PromptInjection, Secret};
    use Direction::{Request, Response};
    let p = GuardProfile::default_profile();
    for (category, score, origin, direction, verdict) in [
        (CreditCard, 900, Origin::User, Request, Verdict::Tokenise),
        (CreditCard, 900, Origin::System, Request, Verdict::Tokenise),
        (CreditCard, 499, Origin::User, Request, Verdict::Flag),
        (CreditCard, 500, Origin::Assistant, Response, Verdict::Redact),
        (Secret, 850, Origin::ToolResult, Request, Verdict::Tokenise),
        (Secret, 850, Origin::ToolCall, Response, Verdict::Redact),
        (PromptInjection, 700, Origin::ToolResult, Request, Verdict::Block),
        (PromptInjection, 700, Origin::ToolDefinition, Request, Verdict::Block),
        (PromptInjection, 699, Origin::Document, Request, Verdict::Flag),
        (PromptInjection, 899, Origin::User, Request, Verdict::Flag),
        (PromptInjection, 900, Origin::User, Request, Verdict::Block),
        (PromptInjection, 1000, Origin::System, Request, Verdict::Flag),
        (PromptInjection, 1000, Origin::Assistant, Response, Verdict::Flag),
        (PromptInjection, 1000, Origin::Assistant, Request, Verdict::Flag),
        (PromptInjection, 1000, Origin::Other, Response, Verdict::Flag),
        (InvisibleText, 900, Origin::ToolResult, Request, Verdict::Flag),
        (Placeholder, 1000, Origin::User, Request, Verdict::Allow),
    ] {
        assert_eq!(
            judge(&p, category, score, origin, direction),
            verdict,
            "{category} {score} {origin} {direction}"
        );
    }
    let tag = finding(InvisibleText, "invisible.tag", 950);
    assert_eq!(p.judge(&tag, Origin::ToolResult, Trust::Untrusted, Request), Verdict::Block);
    assert_eq!(p.judge(&tag, Origin::User, Trust::User, Request), Verdict::Flag);
    // A document that the gateway was told to trust as the user's own.
    let hint = finding(PromptInjection, "injection.override", 800);
    assert_eq!(p.judge(&hint, Origin::Document, Trust::User, Request), Verdict::Flag);
}

#[test]
fn the_default_profile_passes_its_own_validation() {
    let p = GuardProfile::default_profile();
    assert_eq!(GuardProfile::from_rules(p.rules().to_vec()).unwrap(), p);
}

#[test]
fn the_most_specific_rule_decides_in_any_order() {
    let rules = vec![
        Rule::new(Target::Family(Guarded::Secret), Verdict::Redact),
        Rule::new(Target::Category(Category::Secret), Verdict::Block),
        Rule::new(Target::Category(Category::Secret), Verdict::Flag).from(From::Trust(Trust::User)),
        Rule::new(Target::Category(Category::Secret), Verdict::Allow)
            .from(From::Origin(Origin::User))
            .at(300),
        Rule::new(Target::Detector("credential.jwt".into()), Verdict::Hold),
    ];
    let mut reversed = rules.clone();
    reversed.reverse();
    let (a, b) = (GuardProfile::from_rules(rules).unwrap(), GuardProfile::from_rules(reversed).unwrap());
    assert_eq!(a.digest_input(), b.digest_input());
    for p in [a, b] {
        let request = Direction::Request;
        assert_eq!(judge(&p, Category::Secret, 900, Origin::Document, request), Verdict::Block);
        assert_eq!(judge(&p, Category::Secret, 900, Origin::EmbeddingInput, request), Verdict::Flag);
        assert_eq!(judge(&p, Category::Secret, 900, Origin::User, request), Verdict::Allow);
        assert_eq!(judge(&p, Category::Secret, 200, Origin::User, request), Verdict::Flag);
        assert_eq!(judge(&p, Category::CreditCard, 900, Origin::User, request), Verdict::Allow);
        let jwt = finding(Category::Secret, "credential.jwt", 100);
        assert_eq!(p.judge(&jwt, Origin::User, Trust::User, request), Verdict::Hold);
    }
}

#[test]
fn modes() {
    let p = GuardProfile::default_profile()
        .with_mode(GuardMode::Observe)
        .with_mode_for(Target::Family(Guarded::Secret), GuardMode::Enforce)
        .with_mode_for(Target::Detector("credential.jwt".into()), GuardMode::Off);
    let request = Direction::Request;
    let card = finding(Category::CreditCard, "x", 900);
    let seen = p.consider(&card, Origin::User, Trust::User, request);
    assert_eq!(
        (seen.verdict, seen.mode, seen.enforced()),
        (Verdict::Tokenise, GuardMode::Observe, Verdict::Flag)
    );
    assert_eq!(judge(&p, Category::Secret, 900, Origin::User, request), Verdict::Tokenise);
    let jwt = finding(Category::Secret, "credential.jwt", 900);
    assert_eq!(p.judge(&jwt, Origin::User, Trust::User, request), Verdict::Allow);
    assert!(!p.is_off() && GuardProfile::default_profile().with_mode(GuardMode::Off).is_off());
    assert_ne!(p.digest_input(), GuardProfile::default_profile().digest_input());
}

#[test]
fn wrong_rules_are_named() {
    let secret = || Target::Category(Category::Secret);
    let cases = [
        (vec![Rule::new(secret(), Verdict::Tokenise)], "rules[0].verdict"),
        (vec![Rule::new(secret(), Verdict::Tokenise).towards(Direction::Response)], "rules[0].verdict"),
        (vec![Rule::new(Target::Category(Category::Placeholder), Verdict::Redact)], "rules[0].verdict"),
        (
            vec![
                Rule::new(secret(), Verdict::Flag),
                Rule::new(Target::Family(Guarded::Attack), Verdict::Tokenise).towards(Direction::Request),
            ],
            "rules[1].verdict",
        ),
        (vec![Rule::new(secret(), Verdict::Flag), Rule::new(secret(), Verdict::Block)], "rules[1].verdict"),
        (vec![Rule::new(Target::Detector("".into()), Verdict::Flag)], "rules[0].target"),
    ];
    for (rules, field) in cases {
        let error = GuardProfile::from_rules(rules).unwrap_err();
        assert_eq!(error.field, field, "{error}");
    }
}

#[test]
fn the_listing_reads() {
    let listing = GuardProfile::default_profile().to_string();
    assert!(
        listing.contains("PROMPT_INJECTION         untrusted            request   0.700 block"),
        "{listing}"
    );
}
