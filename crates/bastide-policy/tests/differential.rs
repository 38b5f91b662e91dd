//! The index against Cedar's own flat evaluation, on generated policy sets and requests.
//!
//! `BASTIDE_CASES` scales the number of policy sets (default 300; each is asked 24 questions).

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::str::FromStr;

use bastide_policy::{
    ActionKind, Facts, Invoke, Outcome, PolicySet, Reason, Receive, Release, Resource, Restore, Subject,
    schema_text,
};
use bastide_types::{Category, KeyId, OrganisationId, Origin, PolicyEffect, ProjectId, Score, Verdict};
use cedar_policy as cedar;
use proptest::prelude::*;

const PROVIDERS: [&str; 4] = ["openai", "local", "demo", "eu"];
const MODELS: [&str; 4] = ["gpt-5", "llama", "o/odd", "ünï"];
const ACTIONS: [&str; 4] = ["invoke", "release", "receive", "restore"];

fn key(n: u8) -> KeyId {
    KeyId::from_bytes([n; 16])
}
fn project(n: u8) -> ProjectId {
    ProjectId::from_bytes([100 + n; 16])
}
fn organisation(n: u8) -> OrganisationId {
    OrganisationId::from_bytes([200 + n; 16])
}

fn principal_head() -> impl Strategy<Value = String> {
    let entity = prop_oneof![
        (0u8..4).prop_map(|n| format!("Bastide::Key::\"{}\"", key(n))),
        (0u8..2).prop_map(|n| format!("Bastide::Project::\"{}\"", project(n))),
        (0u8..2).prop_map(|n| format!("Bastide::Organisation::\"{}\"", organisation(n))),
    ];
    prop_oneof![
        3 => Just("principal".to_owned()),
        1 => Just("principal is Bastide::Key".to_owned()),
        2 => (0u8..4).prop_map(|n| format!("principal == Bastide::Key::\"{}\"", key(n))),
        3 => entity.clone().prop_map(|e| format!("principal in {e}")),
        1 => entity.prop_map(|e| format!("principal is Bastide::Key in {e}")),
    ]
}

fn resource_head() -> impl Strategy<Value = String> {
    let model = (0usize..4, 0usize..4)
        .prop_map(|(p, m)| format!("Bastide::Model::\"{}/{}\"", PROVIDERS[p], MODELS[m]));
    let entity = prop_oneof![
        2 => model.clone(),
        2 => (0usize..4).prop_map(|p| format!("Bastide::Provider::\"{}\"", PROVIDERS[p])),
        1 => (0u8..2).prop_map(|n| format!("Bastide::Project::\"{}\"", project(n))),
    ];
    prop_oneof![
        2 => Just("resource".to_owned()),
        1 => Just("resource is Bastide::Model".to_owned()),
        2 => model.prop_map(|m| format!("resource == {m}")),
        3 => entity.clone().prop_map(|e| format!("resource in {e}")),
        1 => entity.prop_map(|e| format!("resource is Bastide::Model in {e}")),
    ]
}

fn action_head() -> impl Strategy<Value = String> {
    let name = |i: usize| format!("Bastide::Action::\"{}\"", ACTIONS[i]);
    prop_oneof![
        2 => Just("action".to_owned()),
        3 => (0usize..4).prop_map(move |i| format!("action == {}", name(i))),
        1 => (0usize..4).prop_map(move |i| format!("action in {}", name(i))),
        2 => proptest::sample::subsequence(vec![0usize, 1, 2, 3], 1..=4).prop_map(move |list| {
            format!("action in [{}]", list.into_iter().map(name).collect::<Vec<_>>().join(", "))
        }),
    ]
}

/// Conditions that type-check for every action; the last three fail to evaluate for some values (overflow).
fn condition() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => Just(String::new()),
        2 => Just("when { context.stream }".to_owned()),
        2 => Just("unless { context.demo }".to_owned()),
        1 => Just("when { context.tools.contains(\"shell\") }".to_owned()),
        1 => Just("when { resource in principal.project }".to_owned()),
        1 => Just("when { resource.shared && principal.name like \"c*\" }".to_owned()),
        1 => Just("when { resource.provider == Bastide::Provider::\"demo\" }".to_owned()),
        1 => Just("when { context has categories && context.categories.contains(\"SECRET\") }".to_owned()),
        1 => Just("when { context has scores && context.scores has SECRET && context.scores.SECRET > 500 }".to_owned()),
        1 => Just("when { context has verdict && context.verdict != \"allow\" }".to_owned()),
        1 => Just("when { context has scores && context.scores has SECRET && \
                   context.scores.SECRET * 9223372036854775807 > 5 }".to_owned()),
        1 => Just("unless { 9223372036854775807 + (if context.demo then 1 else 0) > 5 }".to_owned()),
        1 => Just("when { (if context.stream then 9223372036854775807 else 0) + 1 == 1 }".to_owned()),
    ]
}

fn policies() -> impl Strategy<Value = String> {
    let policy = (any::<bool>(), principal_head(), action_head(), resource_head(), condition());
    proptest::collection::vec(policy, 0..24).prop_map(|list| {
        let mut text = String::new();
        for (i, (permit, p, a, r, c)) in list.into_iter().enumerate() {
            let effect = if permit { "permit" } else { "forbid" };
            text.push_str(&format!("@id(\"p{i}\")\n{effect} ({p}, {a}, {r}) {c};\n"));
        }
        text
    })
}

#[derive(Clone, Debug)]
struct Question {
    key: u8,
    provider: usize,
    model: usize,
    owned: bool,
    stream: bool,
    demo: bool,
    unscanned: bool,
    tools: Vec<String>,
    findings: Vec<(Category, Score)>,
    verdict: Verdict,
}

fn question() -> impl Strategy<Value = Question> {
    let finding =
        (0..Category::ALL.len(), 0u16..=1000).prop_map(|(c, s)| (Category::ALL[c], Score::per_mille(s)));
    (
        (0u8..4, 0usize..4, 0usize..4, any::<bool>()),
        (any::<bool>(), any::<bool>(), any::<bool>()),
        proptest::collection::vec(prop_oneof![Just("shell".to_owned()), Just("crm".to_owned())], 0..3),
        proptest::collection::vec(finding, 0..5),
        0..Verdict::ALL.len(),
    )
        .prop_map(|((key, provider, model, owned), (stream, demo, unscanned), tools, findings, v)| {
            Question {
                key,
                provider,
                model,
                owned,
                stream,
                demo,
                unscanned,
                tools,
                findings,
                verdict: Verdict::ALL[v],
            }
        })
}

/// The same question put to Cedar by another way: JSON entities and context, schema-checked, one flat set.
struct Flat {
    decision: cedar::Decision,
    reasons: BTreeSet<String>,
    errors: BTreeSet<String>,
}

fn flat(schema: &cedar::Schema, set: &cedar::PolicySet, action: &str, q: &Question) -> Flat {
    let (k, p, o) =
        (key(q.key).to_string(), project(q.key % 2).to_string(), organisation(q.key % 2).to_string());
    let provider = PROVIDERS[q.provider];
    let model = format!("{provider}/{}", MODELS[q.model]);
    let uid = |ty: &str, id: &str| serde_json::json!({"type": format!("Bastide::{ty}"), "id": id});
    let entity = |ty: &str, id: &str| serde_json::json!({"__entity": uid(ty, id)});
    let owner = if q.owned { vec![uid("Project", &p)] } else { vec![] };
    let entities = serde_json::json!([
        {"uid": uid("Organisation", &o), "attrs": {}, "parents": []},
        {"uid": uid("Project", &p), "attrs": {}, "parents": [uid("Organisation", &o)]},
        {"uid": uid("Key", &k), "attrs": {"name": format!("c{}", q.key), "project": entity("Project", &p),
            "organisation": entity("Organisation", &o)}, "parents": [uid("Project", &p)]},
        {"uid": uid("Provider", provider), "attrs": {"shared": !q.owned}, "parents": owner},
        {"uid": uid("Model", &model), "attrs": {"name": MODELS[q.model], "provider": entity("Provider", provider),
            "shared": !q.owned}, "parents": [uid("Provider", provider)]},
    ]);
    let mut context = serde_json::json!({
        "stream": q.stream, "demo": q.demo, "unscanned": q.unscanned, "tools": q.tools,
    });
    if action != "invoke" {
        let mut scores = serde_json::Map::new();
        for (c, s) in &q.findings {
            let best = scores.get(c.as_str()).and_then(serde_json::Value::as_u64).unwrap_or(0);
            scores.insert(c.as_str().to_owned(), best.max(u64::from(s.get())).into());
        }
        context["categories"] = scores.keys().cloned().collect::<Vec<_>>().into();
        context["scores"] = scores.into();
        context["origins"] = vec!["user"].into();
        context["verdict"] = q.verdict.as_str().into();
    }
    let euid = |ty: &str, id: &str| {
        cedar::EntityUid::from_type_name_and_id(
            format!("Bastide::{ty}").parse().unwrap(),
            cedar::EntityId::new(id),
        )
    };
    let action_uid = euid("Action", action);
    let context = cedar::Context::from_json_value(context, Some((schema, &action_uid))).unwrap();
    let entities = cedar::Entities::from_json_value(entities, Some(schema)).unwrap();
    let request =
        cedar::Request::new(euid("Key", &k), action_uid, euid("Model", &model), context, Some(schema))
            .unwrap();
    let response = cedar::Authorizer::new().is_authorized(&request, set, &entities);
    Flat {
        decision: response.decision(),
        reasons: response.diagnostics().reason().map(ToString::to_string).collect(),
        errors: response
            .diagnostics()
            .errors()
            .map(|cedar::AuthorizationError::PolicyEvaluationError(e)| e.policy_id().to_string())
            .collect(),
    }
}

fn flat_set(text: &str) -> cedar::PolicySet {
    let parsed = cedar::PolicySet::from_str(text).unwrap();
    let named = parsed.policies().map(|p| p.new_id(cedar::PolicyId::new(p.annotation("id").unwrap())));
    cedar::PolicySet::from_policies(named.collect::<Vec<_>>()).unwrap()
}

fn compare<A: ActionKind>(
    indexed: &PolicySet,
    schema: &cedar::Schema,
    set: &cedar::PolicySet,
    q: &Question,
) -> Result<(), TestCaseError> {
    let flat = flat(schema, set, A::NAME, q);
    let name = format!("c{}", q.key);
    let owner = project(q.key % 2);
    let subject =
        Subject { key: key(q.key), project: owner, organisation: organisation(q.key % 2), name: &name };
    let resource = Resource {
        model: MODELS[q.model],
        provider: PROVIDERS[q.provider],
        project: q.owned.then_some(owner),
    };
    let facts = Facts {
        stream: q.stream,
        unscanned: q.unscanned,
        demo: q.demo,
        tools: &q.tools,
        findings: &q.findings,
        verdict: q.verdict,
        origins: &[Origin::User],
    };
    // What each candidate did, against what the flat evaluation says each policy did.
    let explained = indexed.explain::<A>(&subject, &resource, &facts);
    let errors: BTreeSet<String> = explained
        .iter()
        .filter(|e| matches!(e.outcome, Outcome::Failed(_)))
        .map(|e| e.policy.clone())
        .collect();
    prop_assert_eq!(&errors, &flat.errors);
    let broken_forbid =
        explained.iter().any(|e| e.effect == PolicyEffect::Deny && matches!(e.outcome, Outcome::Failed(_)));

    match indexed.authorize::<A>(&subject, &resource, &facts) {
        Ok(granted) => {
            prop_assert_eq!(flat.decision, cedar::Decision::Allow);
            prop_assert!(!broken_forbid);
            let named: BTreeSet<String> = granted.decision().policies.iter().cloned().collect();
            if flat.reasons.len() <= 16 {
                prop_assert_eq!(named, flat.reasons);
            }
            prop_assert!(granted.covers(&subject, &resource));
        }
        Err(refusal) => {
            let named: BTreeSet<String> = refusal.decision().policies.iter().cloned().collect();
            match refusal.reason() {
                Reason::Forbidden => {
                    prop_assert_eq!(flat.decision, cedar::Decision::Deny);
                    if flat.reasons.len() <= 16 {
                        prop_assert_eq!(named, flat.reasons);
                    }
                }
                Reason::NotPermitted => {
                    prop_assert_eq!(flat.decision, cedar::Decision::Deny);
                    prop_assert!(flat.reasons.is_empty() && flat.errors.is_empty());
                }
                Reason::Failed { .. } => {
                    prop_assert!(named.is_subset(&flat.errors));
                    // The one place where we are stricter than Cedar.
                    prop_assert!(broken_forbid || flat.decision == cedar::Decision::Deny);
                }
                other => return Err(TestCaseError::fail(format!("unexpected {other:?}"))),
            }
        }
    }
    Ok(())
}

#[test]
fn indexed_equals_flat() {
    let cases = std::env::var("BASTIDE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(300);
    let (schema, _) = cedar::Schema::from_cedarschema_str(&schema_text()).unwrap();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let strategy = (policies(), proptest::collection::vec(question(), 6));
    runner
        .run(&strategy, |(text, questions)| {
            let indexed = PolicySet::parse(&text).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
            let set = flat_set(&text);
            for q in &questions {
                compare::<Invoke>(&indexed, &schema, &set, q)?;
                compare::<Release>(&indexed, &schema, &set, q)?;
                compare::<Receive>(&indexed, &schema, &set, q)?;
                compare::<Restore>(&indexed, &schema, &set, q)?;
            }
            Ok(())
        })
        .unwrap();
}
