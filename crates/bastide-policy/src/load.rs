//! From text to checked policies: parsing, names, the schema, warnings.

use std::collections::HashMap;
use std::str::FromStr;

use cedar_policy as cedar;
use cedar_policy::{PolicyId, ValidationMode, Validator};
use miette::Diagnostic;

use crate::error::{PolicyError, PolicyProblem};
use crate::index::is_unscoped;
use crate::layout::Layout;
use crate::lint::{Lint, LintKind, unknown_words};
use crate::schema::{self, Names};
use crate::set::Meta;

/// Bytes of an `@id`: it appears in every denial and in the log.
const MAX_ID_BYTES: usize = 100;
/// Bytes of an `@ask`: a sentence.
const MAX_ASK_BYTES: usize = 300;

const NO_ID: &str =
    "it has no name; put `@id(\"some-name\")` before it, so that denials and the log can name it";
const UNSCOPED: &str = "it names neither a principal nor a resource in its head, so every decision evaluates it; \
    name one, or say why with `@unscoped(\"reason\")`";

pub(crate) struct Loaded {
    pub(crate) names: Names,
    pub(crate) policies: Vec<cedar::Policy>,
    pub(crate) lints: Vec<Lint>,
    pub(crate) meta: HashMap<PolicyId, Meta>,
    pub(crate) schema_text: String,
}

/// A text with what is needed to say where in it something is.
struct Source<'a> {
    text: &'a str,
    layout: Layout,
    /// Where each policy begins, by id.
    begins: HashMap<PolicyId, usize>,
}

pub(crate) fn load(text: &str) -> Result<Loaded, PolicyError> {
    let layout = Layout::scan(text).map_err(|p| PolicyError::new([p]))?;
    let (schema, names) = schema::load().map_err(|e| PolicyError::new([without_place(e)]))?;
    let mut source = Source { text, layout, begins: HashMap::new() };

    let parsed = cedar::PolicySet::from_str(text).map_err(|errors| {
        PolicyError::new(errors.iter().map(|e| {
            source.problem(
                None,
                e,
                "see the Cedar policy syntax: https://docs.cedarpolicy.com/policies/syntax-policy.html",
            )
        }))
    })?;
    if parsed.templates().next().is_some() {
        let slot = ["?principal", "?resource"].iter().filter_map(|slot| text.find(slot)).min();
        let (line, column) = source.layout.position(text, slot.unwrap_or(0));
        let detail = "this is a template: `?principal` and `?resource` have no values here".to_owned();
        let remedy = "write the principal or resource itself where the slot is".into();
        return Err(PolicyError::new([PolicyProblem { policy: None, line, column, detail, remedy }]));
    }

    let (policies, mut lints, meta) = source.name(&parsed)?;
    let named = cedar::PolicySet::from_policies(policies.iter().cloned())
        .map_err(|e| PolicyError::new([without_place(e.to_string())]))?;
    let checked = Validator::new(schema).validate(&named, ValidationMode::Strict);
    if !checked.validation_passed() {
        return Err(PolicyError::new(checked.validation_errors().map(|e| {
            source.problem(
                Some(e.policy_id()),
                e,
                "`bastide policy schema` prints what policies can speak of",
            )
        })));
    }
    for warning in checked.validation_warnings() {
        let problem = source.problem(Some(warning.policy_id()), warning, "");
        lints.push(Lint {
            kind: LintKind::Checker,
            policy: problem.policy,
            line: problem.line,
            detail: problem.detail,
        });
    }
    lints.sort_by_key(|l| l.line);
    Ok(Loaded { names, policies, lints, meta, schema_text: schema::schema_text() })
}

/// A problem that has no place in the text.
pub(crate) fn without_place(detail: String) -> PolicyProblem {
    PolicyProblem { policy: None, line: 1, column: 1, detail, remedy: "".into() }
}

type Named = (Vec<cedar::Policy>, Vec<Lint>, HashMap<PolicyId, Meta>);

impl Source<'_> {
    /// Gives each policy the name in its `@id`, and looks at it closely.
    fn name(&mut self, parsed: &cedar::PolicySet) -> Result<Named, PolicyError> {
        let (mut policies, mut lints, mut meta, mut problems) =
            (Vec::new(), Vec::new(), HashMap::new(), Vec::new());
        for (order, policy) in parsed.policies().enumerate() {
            let begin = self.layout.statement(order).unwrap_or(0);
            let (line, column) = self.layout.position(self.text, begin);
            let given = policy.annotation("id");
            let id = given.map_or_else(|| policy.id().clone(), PolicyId::new);
            let lint = |kind, detail| Lint { kind, policy: Some(id.to_string()), line, detail };
            let mut complain = |detail: String, remedy: &'static str| {
                let policy = Some(id.to_string().chars().take(MAX_ID_BYTES).collect());
                problems.push(PolicyProblem { policy, line, column, detail, remedy: remedy.into() });
            };
            if given.is_none() {
                lints.push(lint(LintKind::NoId, NO_ID.to_owned()));
            }
            if given.is_some_and(|id| !is_name(id)) {
                complain(
                    format!("an `@id` has 1 to {MAX_ID_BYTES} letters, digits and `-_.:/`"),
                    "choose a short name for what the policy is for",
                );
            }
            let ask = policy.annotation("ask");
            if ask.is_some_and(|a| a.len() > MAX_ASK_BYTES || a.chars().any(char::is_control)) {
                complain(
                    format!("an `@ask` has at most {MAX_ASK_BYTES} bytes on one line"),
                    "say in one sentence who can help",
                );
            }
            if let Some(first) = self.begins.get(&id) {
                let (first, _) = self.layout.position(self.text, *first);
                complain(
                    format!("the policy on line {first} has the same `@id`"),
                    "give each policy its own",
                );
                continue;
            }
            if is_unscoped(policy) && policy.annotation("unscoped").is_none() {
                lints.push(lint(LintKind::Unscoped, UNSCOPED.to_owned()));
            }
            lints.extend(unknown_words(policy).into_iter().map(|detail| lint(LintKind::UnknownWord, detail)));
            let ask = ask.map(str::to_owned);
            meta.insert(id.clone(), Meta { effect: policy.effect(), ask, order });
            policies.push(policy.new_id(id.clone()));
            self.begins.insert(id, begin);
        }
        if policies.is_empty() {
            let detail = "there is no policy, so everything is denied".to_owned();
            lints.push(Lint { kind: LintKind::Empty, policy: None, line: 1, detail });
        }
        if problems.is_empty() { Ok((policies, lints, meta)) } else { Err(PolicyError::new(problems)) }
    }

    /// What Cedar says, with its place in our text and our remedy where Cedar has none.
    fn problem(&self, id: Option<&PolicyId>, error: &impl Diagnostic, remedy: &'static str) -> PolicyProblem {
        let label = error.labels().and_then(|mut labels| labels.next());
        let begin = id.and_then(|id| self.begins.get(id)).copied();
        let offset = label.as_ref().map(miette::LabeledSpan::offset).or(begin).unwrap_or(0);
        let (line, column) = self.layout.position(self.text, offset);
        let mut detail = error.to_string();
        if let Some(id) = id {
            let prefix = format!("for policy `{id}`, ");
            detail = detail.strip_prefix(&prefix).map(str::to_owned).unwrap_or(detail);
        }
        let remedy = error.help().map_or(remedy.into(), |help| help.to_string().into());
        PolicyProblem { policy: id.map(ToString::to_string), line, column, detail, remedy }
    }
}

fn is_name(id: &str) -> bool {
    (1..=MAX_ID_BYTES).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:/".contains(&b))
}
