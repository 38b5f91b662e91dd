//! The settings file, read against its schema: what is unknown or of another kind is a mistake with a line, and the rest is
//! read all the same, so that every mistake is told at once.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use bastide_admin::Failure;
use serde::Deserialize as _;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::file::ConfigFile;
use super::mistakes::Mistake;
use super::schema;
use crate::likeness::meant;

/// Longest settings file, bytes: a thousand rules are a tenth of it.
const FILE_BYTES: u64 = 1 << 20;

/// Where each setting stands in the file: line by dotted name, from 1.
pub(super) type Lines = BTreeMap<String, usize>;

/// A settings file as it was read.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// As it was named.
    pub(super) path: String,
    pub(super) file: ConfigFile,
    pub(super) lines: Lines,
    /// Where in the file each rule of the guard is, counted from 0: some may have been left out as mistaken.
    pub(super) rules: Vec<usize>,
    pub(super) mistakes: Vec<Mistake>,
}

impl Written {
    /// The line of a setting, or of what it is part of.
    pub(super) fn line(&self, name: &str) -> Option<usize> {
        let mut name = name;
        loop {
            if let Some(line) = self.lines.get(name) {
                return Some(*line);
            }
            name = name.get(..name.rfind(['.', '['])?)?;
        }
    }
}

/// Reads a file. Mistakes are in what is given; an error is a file that cannot be read at all.
pub(super) fn file(path: &Path) -> Result<Written, Failure> {
    let shown = path.display();
    let failed = |e: std::io::Error| Failure::could_not(format!("cannot read the settings `{shown}`: {e}"));
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    let read = file.take(FILE_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    if u64::try_from(read).is_ok_and(|n| n > FILE_BYTES) {
        return Err(Failure::usage(format!(
            "`{shown}` is longer than {FILE_BYTES} bytes; is it a settings file?"
        )));
    }
    Ok(Written { path: shown.to_string(), ..parse(&text) })
}

/// Reads a text.
pub(super) fn parse(text: &str) -> Written {
    let mut reading = Reading { text, lines: Lines::new(), mistakes: Vec::new() };
    let (mut table, broken) = DeTable::parse_recoverable(text);
    for error in &broken {
        reading.wrong(error.span().map_or(0, |span| span.start), error.message().to_owned());
    }
    if !broken.is_empty() {
        // What stands behind a broken line may be read as something else: nothing can be said of it.
        return Written { mistakes: reading.mistakes, ..Written::default() };
    }
    reading.table("", table.get_mut(), &schema::shape());
    let rules = reading.rules(table.get_mut());
    let file = ConfigFile::deserialize(toml::Deserializer::from(table)).unwrap_or_else(|error| {
        reading.wrong(error.span().map_or(0, |span| span.start), error.message().to_owned());
        ConfigFile::default()
    });
    Written { path: String::new(), file, lines: reading.lines, rules, mistakes: reading.mistakes }
}

struct Reading<'t> {
    text: &'t str,
    lines: Lines,
    mistakes: Vec<Mistake>,
}

impl Reading<'_> {
    fn line(&self, offset: usize) -> usize {
        self.text.get(..offset).unwrap_or_default().matches('\n').count() + 1
    }

    fn wrong(&mut self, offset: usize, what: String) {
        self.mistakes.push(Mistake { line: Some(self.line(offset)), what });
    }

    /// Notes where each setting of a table stands, and takes out what it may not hold. Whether all that it must hold was
    /// there.
    fn table(&mut self, prefix: &str, table: &mut DeTable<'_>, shape: &Value) -> bool {
        let mut unfit = Vec::new();
        let mut before = Vec::new();
        for (key, value) in table.iter_mut() {
            let (name, at) = (format!("{prefix}{}", key.get_ref()), key.span().start);
            let Some(property) = shape["properties"].get(&**key.get_ref()) else {
                let known = shape["properties"].as_object().into_iter().flatten().map(|(name, _)| &**name);
                let meant = meant(key.get_ref(), known);
                self.wrong(at, format!("there is no setting `{name}`{meant}"));
                unfit.push(key.get_ref().to_string());
                continue;
            };
            before.push(key.get_ref().to_string());
            if !matches!(value.get_ref(), DeValue::Table(_)) {
                let line = self.line(at);
                self.lines.insert(name.clone(), line);
            }
            if !self.value(&name, value, property) {
                unfit.push(key.get_ref().to_string());
            }
        }
        let missing: Vec<&str> = shape["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .filter(|name| !before.iter().any(|there| there == name))
            .collect();
        for key in &unfit {
            table.remove(key.as_str());
        }
        if !missing.is_empty() {
            let of = prefix.trim_end_matches('.');
            let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
            let line = self
                .lines
                .get(of)
                .copied()
                .or_else(|| table.keys().next().map(|first| self.line(first.span().start)));
            self.mistakes
                .push(Mistake { line, what: format!("setting `{of}`: {} is missing", names.join(", ")) });
        }
        let required =
            |key: &String| shape["required"].as_array().is_some_and(|all| all.iter().any(|r| r == key));
        missing.is_empty() && !unfit.iter().any(required)
    }

    /// Whether a value is of the kind that its schema wants, but for mistakes inside of it that were taken out.
    fn value(&mut self, name: &str, value: &mut Spanned<DeValue<'_>>, shape: &Value) -> bool {
        let at = value.span().start;
        let kind = shape["type"].as_str().unwrap_or_default();
        match (kind, value.get_mut()) {
            ("object", DeValue::Table(table)) => return self.table(&format!("{name}."), table, shape),
            ("array", DeValue::Array(list)) => {
                let mut fits = true;
                for (index, element) in list.iter_mut().enumerate() {
                    let name = format!("{name}[{index}]");
                    let line = self.line(element.span().start);
                    self.lines.insert(name.clone(), line);
                    if !self.value(&name, element, &shape["items"]) {
                        // A table that is unfit keeps its place, so that the others keep their numbers.
                        match element.get_mut() {
                            DeValue::Table(table) => table.clear(),
                            _ => fits = false,
                        }
                    }
                }
                return fits;
            }
            ("integer", DeValue::Integer(number)) => {
                if u64::from_str_radix(number.as_str(), number.radix()).is_ok() {
                    return true;
                }
                self.wrong(at, format!("setting `{name}`: `{number}` is not a whole number from 0 on"));
                return false;
            }
            ("string", DeValue::String(_))
            | ("boolean", DeValue::Boolean(_))
            | ("number", DeValue::Float(_) | DeValue::Integer(_)) => return true,
            _ => {}
        }
        let (wanted, is) = (wanted(kind), is(value.get_ref()));
        self.wrong(at, format!("setting `{name}`: wants {wanted}, and this is {is}"));
        false
    }

    /// Takes out the guard's rules that turned out unfit, and says where in the file each of the others is.
    fn rules(&mut self, table: &mut DeTable<'_>) -> Vec<usize> {
        let Some(DeValue::Table(guard)) = table.get_mut("guard").map(Spanned::get_mut) else {
            return Vec::new();
        };
        let Some(DeValue::Array(rules)) = guard.get_mut("rules").map(Spanned::get_mut) else {
            return Vec::new();
        };
        let fit =
            |rule: &Spanned<DeValue<'_>>| rule.get_ref().as_table().is_some_and(|rule| !rule.is_empty());
        let numbers =
            rules.iter().enumerate().filter(|(_, rule)| fit(rule)).map(|(number, _)| number).collect();
        *rules = std::mem::replace(rules, DeArray::new()).into_iter().filter(fit).collect();
        numbers
    }
}

fn wanted(kind: &str) -> &'static str {
    match kind {
        "object" => "a table",
        "array" => "a list",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        _ => "a text",
    }
}

fn is(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Table(_) => "a table",
        DeValue::Array(_) => "a list",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "`true` or `false`",
        DeValue::String(_) => "a text",
        DeValue::Datetime(_) => "a date",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(usize, String)> {
        let mistakes = parse(text).mistakes.into_iter();
        mistakes.map(|m| (m.line.expect("a line"), m.what)).collect()
    }

    #[test]
    fn every_mistake_is_found_with_its_line_and_the_rest_is_read() {
        let text = "listen = 8800\nlissen = 'x'\naudit = 'relaxed'\n\n[guard]\nmode = 'observe'\n\n\
                    [[guard.rules]]\ncategroy = 'IBAN'\nverdict = 'block'\n\n[[guard.rules]]\nfamily = 'secret'\n\n\
                    [limits]\nidle_seconds = '7'\nconnections = -1\nbody_seconds = 9\n[tls]\ncert = 'c'\n";
        let mut found = told(text);
        found.sort();
        let found: Vec<(usize, &str)> = found.iter().map(|(line, what)| (*line, &**what)).collect();
        assert_eq!(
            found,
            [
                (1, "setting `listen`: wants a text, and this is a whole number"),
                (2, "there is no setting `lissen`; is `listen` meant?"),
                (9, "there is no setting `guard.rules[0].categroy`; is `category` meant?"),
                (12, "setting `guard.rules[1]`: `verdict` is missing"),
                (16, "setting `limits.idle_seconds`: wants a whole number, and this is a text"),
                (17, "setting `limits.connections`: `-1` is not a whole number from 0 on"),
                (20, "setting `tls`: `key` is missing"),
            ]
        );
        let read = parse(text);
        assert_eq!((read.file.audit.as_deref(), read.file.limits.body_seconds), (Some("relaxed"), Some(9)));
        assert_eq!(read.rules, [0], "the second has no verdict");
    }

    #[test]
    fn a_file_that_is_no_toml_says_where() {
        let found = told("a = 1\n[guard\nmode = = 3\n");
        assert!(found.iter().any(|(line, _)| *line == 2), "{found:?}");
        assert!(!found.iter().any(|(_, what)| what.contains("no setting `a`")), "{found:?}");
    }

    #[test]
    fn what_is_well_written_is_no_mistake() {
        let text = "allowed_hosts = ['a']\n[guard]\nrules = [{category = 'IBAN', verdict = 'block', min_score = 1}]\n\
                    [telemetry]\npropagate = true\n[limits]\nconnections = 1_000\nrequest_bytes = 0x10000\n";
        let read = parse(text);
        assert_eq!(read.mistakes, []);
        assert_eq!(
            (read.file.limits.connections, read.line("guard.rules[0].category")),
            (Some(1000), Some(3))
        );
        assert_eq!(read.line("limits.request_bytes"), Some(8));
        assert_eq!(read.line("bodies.days"), None);
    }
}
