//! `bastide scan --rules`: what is looked for, and one rule in full.

use std::fmt::Write as _;

use anstyle::Style;
use bastide_admin::Failure;
use bastide_registry::render;
use bastide_types::Rule;

use super::human::write;
use crate::likeness::meant;

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// Prints every rule, those of a family, or one.
pub(super) fn print(wanted: Option<&str>, json: bool) -> Result<(), Failure> {
    let rules = chosen(wanted)?;
    if json {
        return crate::client::write(&format!("{}\n", render::rules_json(rules)));
    }
    match (wanted, rules.as_slice()) {
        (Some(id), [rule]) if rule.id == id => write(&explained(rule)),
        _ => write(&listed(&rules)),
    }
}

fn chosen(wanted: Option<&str>) -> Result<Vec<&'static Rule>, Failure> {
    let Some(wanted) = wanted else { return Ok(render::rules().collect()) };
    let is_wanted = |rule: &&Rule| rule.id == wanted || rule.id.split('.').next() == Some(wanted);
    let rules: Vec<_> = render::rules().filter(is_wanted).collect();
    if rules.is_empty() {
        let shown: String = wanted.chars().filter(|c| !c.is_control()).take(60).collect();
        let meant = meant(wanted, render::rules().map(|rule| rule.id));
        return Err(Failure::usage(format!(
            "there is no rule `{shown}`; `bastide scan --rules` lists them{meant}"
        )));
    }
    Ok(rules)
}

fn listed(rules: &[&Rule]) -> String {
    let mut out = String::new();
    for rule in rules {
        let (severity, effect, title) = (render::severity(rule.severity), rule.effect, rule.title);
        let _ = writeln!(out, "{BOLD}{:<34}{BOLD:#} {severity:<9} {effect:<10} {title}", rule.id);
    }
    let _ = writeln!(out, "\n{DIM}`bastide scan --rules ID` explains one{DIM:#}");
    out
}

fn explained(rule: &Rule) -> String {
    let severity = render::severity(rule.severity);
    let mut out = format!("{BOLD}{}{BOLD:#}  {severity}, {}\n{}\n\n", rule.id, rule.effect, rule.title);
    let mut line = |name: &str, text: &str| {
        let _ = writeln!(out, "{DIM}{name:<12}{DIM:#}{text}");
    };
    line("why", rule.why);
    line("what to do", rule.fix);
    for number in rule.cwe {
        line(&format!("CWE-{number}"), &format!("https://cwe.mitre.org/data/definitions/{number}.html"));
    }
    for id in rule.atlas {
        line("ATLAS", &format!("{id}  https://atlas.mitre.org/techniques/{id}"));
    }
    out
}
