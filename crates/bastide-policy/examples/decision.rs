//! What a decision costs: Cedar's flat evaluation against the index, at 100, 1,000 and 10,000 policies.
//!
//! `cargo run --release -p bastide-policy --example decision`
//!
//! One policy per (project, model) with a condition, one scoped forbid per ten of them, and the starter's unscoped
//! ones. Times are per decision and include building request and context.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a report for people, on inputs of its own")]

use std::fmt::Write as _;
use std::hint::black_box;
use std::str::FromStr;
use std::time::Instant;

use bastide_policy::{Facts, Invoke, PolicySet, Release, Resource, Subject};
use bastide_types::{Category, KeyId, OrganisationId, Origin, ProjectId, Score, Verdict};
use cedar_policy as cedar;

const MODELS: usize = 20;

fn project(n: usize) -> ProjectId {
    ProjectId::from_bytes((n as u128 + 1).to_be_bytes())
}

fn text(policies: usize) -> String {
    let mut text = include_str!("../src/starter.cedar").to_owned();
    for n in 0..policies {
        let (team, model) = (n / MODELS, n % MODELS);
        let effect = if n % 10 == 9 { "forbid" } else { "permit" };
        let condition = if n % 10 == 9 {
            "context has categories && context.categories.contains(\"SECRET\")"
        } else {
            "context.demo == false && (!(context has verdict) || context.verdict != \"block\")"
        };
        writeln!(
            text,
            "@id(\"grant-{n}\")\n{effect} (principal in Bastide::Project::\"{}\", action, \
             resource == Bastide::Model::\"openai/model-{model}\") when {{ {condition} }};",
            project(team)
        )
        .unwrap();
    }
    text
}

struct Times(Vec<u64>);

impl Times {
    fn measure(runs: usize, mut decide: impl FnMut(usize)) -> Times {
        (0..runs / 10).for_each(&mut decide);
        let mut times: Vec<u64> = (0..runs)
            .map(|i| {
                let start = Instant::now();
                decide(i);
                u64::try_from(start.elapsed().as_nanos()).unwrap()
            })
            .collect();
        times.sort_unstable();
        Times(times)
    }

    fn at(&self, per_mille: usize) -> f64 {
        self.0[(self.0.len() - 1) * per_mille / 1000] as f64 / 1000.0
    }
}

fn main() {
    println!("{:>8}  {:<34} {:>9} {:>9} {:>9}", "policies", "", "p50 us", "p99 us", "p99.9 us");
    for policies in [100, 1_000, 10_000] {
        let text = text(policies);
        let start = Instant::now();
        let indexed = PolicySet::parse(&text).unwrap();
        let load = start.elapsed();
        let teams = (policies / MODELS).max(1);

        let tools = ["search".to_owned(), "calendar".to_owned()];
        let findings =
            [(Category::EmailAddress, Score::per_mille(950)), (Category::CreditCard, Score::per_mille(1000))];
        let facts = Facts {
            stream: true,
            tools: &tools,
            findings: &findings,
            origins: &[Origin::User],
            verdict: Verdict::Tokenise,
            ..Facts::default()
        };
        let names: Vec<String> = (0..100_000).map(|n| format!("model-{n}")).collect();
        let subject = |i: usize| Subject {
            key: KeyId::from_bytes((i as u128 % 512).to_be_bytes()),
            project: project(i % teams),
            organisation: OrganisationId::from_bytes([1; 16]),
            name: "ci",
        };
        let known = |i: usize| Resource { model: &names[i % MODELS], provider: "openai", project: None };
        let fresh = |i: usize| Resource { model: &names[i % names.len()], provider: "openai", project: None };

        let line = |what: &str, times: Times| {
            println!(
                "{policies:>8}  {what:<34} {:>9.1} {:>9.1} {:>9.1}",
                times.at(500),
                times.at(990),
                times.at(999)
            );
        };
        let runs = 100_000;
        line(
            "indexed, invoke, known pair",
            Times::measure(runs, |i| {
                let _ = black_box(indexed.authorize::<Invoke>(&subject(i % 32), &known(i), &facts)).unwrap();
            }),
        );
        line(
            "indexed, release, known pair",
            Times::measure(runs, |i| {
                let _ = black_box(indexed.authorize::<Release>(&subject(i % 32), &known(i), &facts)).unwrap();
            }),
        );
        line(
            "indexed, release, other findings",
            Times::measure(runs, |i| {
                let score = Score::per_mille(u16::try_from(i % 1000).unwrap());
                let findings = [(Category::EmailAddress, score), (Category::CreditCard, score)];
                let facts = Facts { findings: &findings, ..facts };
                let _ = black_box(indexed.authorize::<Release>(&subject(i % 32), &known(i), &facts)).unwrap();
            }),
        );
        line(
            "indexed, release, pair never seen",
            Times::measure(runs / 2, |i| {
                let _ = black_box(indexed.authorize::<Release>(&subject(i), &fresh(i), &facts)).unwrap();
            }),
        );

        let flat = cedar::PolicySet::from_str(&text).unwrap();
        let authorizer = cedar::Authorizer::new();
        let uid = |ty: &str, id: String| {
            cedar::EntityUid::from_type_name_and_id(
                format!("Bastide::{ty}").parse().unwrap(),
                cedar::EntityId::new(id),
            )
        };
        let (key, group) = (uid("Key", subject(0).key.to_string()), uid("Project", project(0).to_string()));
        let (model, provider) =
            (uid("Model", "openai/model-0".to_owned()), uid("Provider", "openai".to_owned()));
        let entities = cedar::Entities::from_entities(
            [
                cedar::Entity::new_no_attrs(key.clone(), [group.clone()].into()),
                cedar::Entity::with_uid(group),
                cedar::Entity::new(
                    model.clone(),
                    [("shared".to_owned(), cedar::RestrictedExpression::new_bool(true))].into(),
                    [provider.clone()].into(),
                )
                .unwrap(),
                cedar::Entity::with_uid(provider),
            ],
            None,
        )
        .unwrap();
        let action = uid("Action", "invoke".to_owned());
        line(
            "flat, invoke, entities ready",
            Times::measure(2_000_000 / (policies + 100), |_| {
                let context = cedar::Context::from_pairs([
                    ("stream".to_owned(), cedar::RestrictedExpression::new_bool(true)),
                    ("demo".to_owned(), cedar::RestrictedExpression::new_bool(false)),
                    ("unscanned".to_owned(), cedar::RestrictedExpression::new_bool(false)),
                ])
                .unwrap();
                let request =
                    cedar::Request::new(key.clone(), action.clone(), model.clone(), context, None).unwrap();
                let response = authorizer.is_authorized(&request, &flat, &entities);
                assert_eq!(black_box(response).decision(), cedar::Decision::Allow);
            }),
        );
        println!("{policies:>8}  {:<34} {:>9.1} ms", "load (parse, check, index)", load.as_secs_f64() * 1e3);
    }
}
