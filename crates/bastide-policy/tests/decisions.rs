//! Decisions as a caller meets them.

#![allow(clippy::unwrap_used, reason = "tests")]

use bastide_policy::{
    ActionKind, Facts, Invoke, Outcome, PolicySet, Reason, Receive, Refusal, Release, Resource, Restore,
    Subject,
};
use bastide_types::{Category, Fault, KeyId, OrganisationId, PolicyEffect, ProjectId, Score, Verdict};

fn project() -> ProjectId {
    ProjectId::from_bytes([2; 16])
}

fn subject() -> Subject<'static> {
    Subject {
        key: KeyId::from_bytes([1; 16]),
        project: project(),
        organisation: OrganisationId::from_bytes([3; 16]),
        name: "ci",
    }
}

fn own() -> Resource<'static> {
    Resource { model: "gpt-5", provider: "openai", project: Some(project()) }
}

fn decide<A: ActionKind>(
    set: &PolicySet,
    resource: &Resource<'_>,
    facts: &Facts<'_>,
) -> Result<Vec<String>, Refusal> {
    set.authorize::<A>(&subject(), resource, facts).map(|granted| {
        assert_eq!((granted.decision().action, granted.decision().effect), (A::NAME, PolicyEffect::Permit));
        assert_eq!((granted.key(), granted.policy()), (subject().key, set.digest()));
        assert_eq!((granted.model(), granted.provider()), (resource.model, resource.provider));
        granted.into_decision().policies.to_vec()
    })
}

#[test]
fn the_starter_policy_lets_everyday_work_through() {
    let set = PolicySet::starter();
    let shared = Resource { project: None, ..own() };
    let demo = Resource { provider: "demo", project: None, ..own() };
    let plain = Facts::default();
    let local = Facts { demo: true, ..plain };
    assert_eq!(decide::<Invoke>(&set, &own(), &plain).unwrap(), ["own-project-invoke"]);
    assert_eq!(decide::<Invoke>(&set, &shared, &plain).unwrap(), ["shared-provider-invoke"]);
    assert_eq!(decide::<Invoke>(&set, &demo, &local).unwrap(), ["shared-provider-invoke"]);
    let findings = [(Category::CreditCard, Score::MAX)];
    let found = Facts { findings: &findings, verdict: Verdict::Tokenise, ..plain };
    assert_eq!(decide::<Release>(&set, &own(), &found).unwrap(), ["release-inspected"]);
    assert_eq!(decide::<Receive>(&set, &own(), &found).unwrap(), ["receive-inspected"]);
    assert_eq!(decide::<Restore>(&set, &own(), &found).unwrap(), ["restore-in-text"]);
}

#[test]
fn the_starter_policy_stops_what_it_should() {
    let set = PolicySet::starter();
    let demo = Resource { provider: "demo", project: None, ..own() };
    let plain = Facts::default();
    let tools = ["send_mail".to_owned()];
    for (what, refused) in [
        ("the demo provider from afar", decide::<Invoke>(&set, &demo, &plain)),
        ("what cannot be inspected", decide::<Release>(&set, &own(), &Facts { unscanned: true, ..plain })),
        (
            "a reply that cannot be inspected",
            decide::<Receive>(&set, &own(), &Facts { unscanned: true, ..plain }),
        ),
        ("a blocked request", decide::<Release>(&set, &own(), &Facts { verdict: Verdict::Block, ..plain })),
        ("a held reply", decide::<Receive>(&set, &own(), &Facts { verdict: Verdict::Hold, ..plain })),
        ("values in tool arguments", decide::<Restore>(&set, &own(), &Facts { tools: &tools, ..plain })),
    ] {
        let refusal = refused.expect_err(what);
        let problem = refusal.to_problem();
        assert_eq!(
            (problem.code, problem.status, problem.fault),
            ("policy.denied", 403, Fault::Client),
            "{what}"
        );
        assert_eq!(refusal.decision().effect, PolicyEffect::Deny);
    }
}

#[test]
fn no_policy_opens_another_projects_provider() {
    let open = "@id(\"all\") @unscoped(\"careless\") permit (principal, action, resource);";
    let set = PolicySet::parse(open).unwrap();
    let theirs = Resource { project: Some(ProjectId::from_bytes([9; 16])), ..own() };
    let refusal = decide::<Invoke>(&set, &theirs, &Facts::default()).unwrap_err();
    assert_eq!(refusal.reason(), &Reason::OtherProject);
    assert_eq!(refusal.to_problem().status, 403);
    assert!(decide::<Invoke>(&set, &own(), &Facts::default()).is_ok());
    // Asked first for one project and then for the other, under the same names.
    assert!(decide::<Invoke>(&set, &theirs, &Facts::default()).is_err());
}

#[test]
fn denials_name_the_policy_and_say_whom_to_ask() {
    let set = PolicySet::parse(
        "@id(\"all\") permit (principal, action, resource in Bastide::Provider::\"openai\");
         @id(\"no-cards\") @ask(\"ask the payments team, payments@example.org\")
         forbid (principal, action == Bastide::Action::\"release\", resource in Bastide::Provider::\"openai\")
         when { context.scores has CREDIT_CARD && context.scores.CREDIT_CARD >= 900 };
         @id(\"no-gpt\") forbid (principal, action == Bastide::Action::\"invoke\", resource == Bastide::Model::\"openai/gpt-4\");",
    )
    .unwrap();
    let score = |n| [(Category::CreditCard, Score::per_mille(n))];
    let (low, high) = (score(899), score(900));
    assert!(decide::<Release>(&set, &own(), &Facts { findings: &low, ..Facts::default() }).is_ok());
    let refusal =
        decide::<Release>(&set, &own(), &Facts { findings: &high, ..Facts::default() }).unwrap_err();
    assert_eq!(
        (refusal.reason(), &*refusal.decision().policies),
        (&Reason::Forbidden, &["no-cards".to_owned()][..])
    );
    assert_eq!(
        refusal.to_string(),
        "policy `no-cards` forbids this key to send this request to model `gpt-5` of provider `openai`; ask the \
         payments team, payments@example.org"
    );
    let old = Resource { model: "gpt-4", ..own() };
    assert_eq!(
        decide::<Invoke>(&set, &old, &Facts::default()).unwrap_err().to_string(),
        "policy `no-gpt` forbids this key to call model `gpt-4` of provider `openai`; ask your project's administrator \
         for an exception from `no-gpt`"
    );
    let elsewhere = Resource { provider: "eu", ..own() };
    let refusal = decide::<Invoke>(&set, &elsewhere, &Facts::default()).unwrap_err();
    assert_eq!(refusal.reason(), &Reason::NotPermitted);
    assert!(refusal.decision().policies.is_empty());
    assert_eq!(
        refusal.to_string(),
        "no policy permits this key to call model `gpt-5` of provider `eu`; ask your project's administrator for a \
         policy that permits `invoke` on `eu/gpt-5`"
    );
}

#[test]
fn a_forbid_that_cannot_be_evaluated_denies_and_a_permit_grants_nothing() {
    let overflow = "9223372036854775807 + (if context.demo then 1 else 0) > 5";
    let permit = "@id(\"yes\") permit (principal in Bastide::Project::\"P\", action, resource);";
    let text = |effect: &str| {
        format!(
            "@id(\"broken\") {effect} (principal in Bastide::Project::\"P\", action, resource) when {{ {overflow} }}; {}",
            if effect == "forbid" { permit } else { "" }
        )
        .replace('P', &project().to_string())
        .replace(&format!("{}rincipal", project()), "principal")
        .replace(&format!("Bastide::{}roject", project()), "Bastide::Project")
    };
    let demo = Facts { demo: true, ..Facts::default() };
    for effect in ["permit", "forbid"] {
        let set = PolicySet::parse(&text(effect)).unwrap();
        let refusal = decide::<Invoke>(&set, &own(), &demo).unwrap_err();
        assert!(matches!(refusal.reason(), Reason::Failed { errors } if errors.len() == 1), "{refusal}");
        assert_eq!(*refusal.decision().policies, ["broken"]);
        let problem = refusal.to_problem();
        assert_eq!((problem.code, problem.status, problem.fault), ("policy.failed", 403, Fault::Operator));
    }
}

#[test]
fn a_failing_permit_beside_a_good_one_is_harmless() {
    let set = PolicySet::parse(
        "@id(\"broken\") permit (principal, action, resource in Bastide::Provider::\"openai\") when { 9223372036854775807 \
         + (if context.demo then 1 else 0) > 5 };
         @id(\"good\") permit (principal, action, resource in Bastide::Provider::\"openai\");",
    )
    .unwrap();
    let demo = Facts { demo: true, ..Facts::default() };
    assert_eq!(decide::<Invoke>(&set, &own(), &demo).unwrap(), ["good"]);
    let explained = set.explain::<Invoke>(&subject(), &own(), &demo);
    let outcomes: Vec<_> = explained.iter().map(|e| (e.policy.as_str(), &e.outcome)).collect();
    assert!(matches!(outcomes[0], ("broken", Outcome::Failed(_))), "{outcomes:?}");
    assert_eq!(outcomes[1], ("good", &Outcome::Satisfied));
}

#[test]
fn only_candidates_are_explained() {
    let mut text = PolicySet::starter().text().to_owned();
    for n in 0..50 {
        text.push_str(&format!(
            "@id(\"t{n}\") permit (principal in Bastide::Project::\"t{n}\", action, resource);\n"
        ));
    }
    let set = PolicySet::parse(&text).unwrap();
    let explained = set.explain::<Invoke>(&subject(), &own(), &Facts::default());
    let shown: Vec<_> =
        explained.iter().map(|e| (e.policy.as_str(), e.outcome == Outcome::Satisfied)).collect();
    assert_eq!(shown, [("own-project-invoke", true), ("shared-provider-invoke", false)]);
}

#[test]
fn what_cannot_be_put_to_the_policies_is_denied() {
    let set =
        PolicySet::parse("@id(\"all\") permit (principal, action, resource in Bastide::Provider::\"a\");")
            .unwrap();
    let tools = vec!["t".to_owned(); 257];
    let many = Facts { tools: &tools, ..Facts::default() };
    for (resource, facts) in [
        (Resource { provider: "a", ..own() }, many),
        (Resource { provider: "a/b", ..own() }, Facts::default()),
        (Resource { provider: "", ..own() }, Facts::default()),
    ] {
        let refusal = decide::<Invoke>(&set, &resource, &facts).unwrap_err();
        assert!(matches!(refusal.reason(), Reason::Unusable { .. }), "{refusal}");
        assert_eq!(refusal.to_problem().status, 403);
    }
}

#[test]
fn hostile_names_are_only_names() {
    let set =
        PolicySet::parse("@id(\"one\") permit (principal, action, resource == Bastide::Model::\"p/m\");")
            .unwrap();
    for model in ["m\"", "m\\", "\u{0}", "*", "m ", "M", "", "Bastide::Model::\"p/m\"", "../p/m", "m\u{200b}"]
    {
        let resource = Resource { model, provider: "p", project: None };
        assert!(decide::<Invoke>(&set, &resource, &Facts::default()).is_err(), "{model:?}");
    }
    let resource = Resource { model: "m", provider: "p", project: None };
    assert!(decide::<Invoke>(&set, &resource, &Facts::default()).is_ok());
    let name = "\"); permit (principal, action, resource); //";
    let named = Subject { name, ..subject() };
    assert!(set.authorize::<Invoke>(&named, &own(), &Facts::default()).is_err());
}

#[test]
fn an_empty_set_denies_everything() {
    let set = PolicySet::parse("// nothing yet\n").unwrap();
    assert!(set.is_empty());
    assert_eq!(
        decide::<Invoke>(&set, &own(), &Facts::default()).unwrap_err().reason(),
        &Reason::NotPermitted
    );
}

#[test]
fn many_reasons_fit_the_log() {
    let text: String = (0..100)
        .map(|n| {
            format!(
                "@id(\"{n:03}-{}\") permit (principal, action, resource in Bastide::Provider::\"openai\");\n",
                "x".repeat(90)
            )
        })
        .collect();
    let set = PolicySet::parse(&text).unwrap();
    let policies = decide::<Invoke>(&set, &own(), &Facts::default()).unwrap();
    assert_eq!(policies.len(), 16);
    assert!(policies[0].starts_with("000-") && policies[15].starts_with("015-"), "in the order of the text");
}
