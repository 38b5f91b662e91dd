//! Jupyter notebooks (nbformat 3 and 4): what their cells run, and what their saved outputs show a browser.

use std::borrow::Cow;

use bastide_types::{Assessment, Rule, Severity};

use super::config::rules::CREDENTIAL;
use super::json::Node;
use super::secret;
use crate::code;
use crate::halt::Parsed;
use crate::scan::{Scan, shown};
use crate::text::shell::{self, Attack};

/// A cell that attacks.
pub(crate) const COMMAND: Rule = Rule {
    id: "notebook.command",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "notebook cell runs a hostile command",
    why: "running the notebook runs the command with the rights of the user or the server",
    fix: "do not run the notebook",
    cwe: &[94, 494],
    atlas: &["AML.T0010.001", "AML.T0011.000"],
};

/// A cell that installs from anywhere.
pub(crate) const INSTALL: Rule = Rule {
    id: "notebook.install",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "notebook installs a package from an address, or runs a remote installer",
    why: "what is installed is decided by a server that is not the package index, on every run",
    fix: "pin the package by version or commit",
    cwe: &[494],
    atlas: &["AML.T0010.001"],
};

/// An output that runs in the browser.
pub(crate) const ACTIVE_OUTPUT: Rule = Rule {
    id: "notebook.active-output",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "saved output of the notebook carries a script",
    why: "a viewer that trusts the notebook runs it in the reader's session",
    fix: "clear the outputs before opening the notebook",
    cwe: &[79],
    atlas: &["AML.T0011.000"],
};

/// An output that reaches out.
pub(crate) const HOSTILE_OUTPUT: Rule = Rule {
    id: "notebook.hostile-output",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "saved output of the notebook sends the reader's data away or runs code in the kernel",
    why: "opening the notebook in a viewer that trusts it is enough",
    fix: "do not open the notebook with its outputs",
    cwe: &[79, 200],
    atlas: &["AML.T0011.000"],
};

/// One cell of code.
pub(crate) struct CodeCell<'n> {
    /// From 0, among all cells.
    pub(crate) number: usize,
    /// Offset of the cell in the notebook.
    pub(crate) offset: u64,
    /// The whole source.
    pub(crate) source: Cow<'n, str>,
}

/// Whether this is a notebook.
pub(super) fn is_notebook(root: &Node<'_>) -> bool {
    root.has("nbformat") && (root.has("cells") || root.has("worksheets")) || {
        root.get("cells").is_some_and(|cells| cells.list().iter().any(|cell| cell.has("cell_type")))
    }
}

fn cells<'n, 't>(root: &'n Node<'t>) -> impl Iterator<Item = &'n Node<'t>> {
    let sheets = root.get("worksheets").map(Node::list).unwrap_or_default();
    let later = sheets.iter().filter_map(|sheet| sheet.get("cells"));
    root.get("cells").into_iter().chain(later).flat_map(Node::list)
}

/// The cells of code, in order.
pub(crate) fn code_cells<'n>(root: &'n Node<'_>) -> impl Iterator<Item = CodeCell<'n>> {
    cells(root).enumerate().filter(|(_, cell)| cell.get_text("cell_type") == Some("code")).filter_map(
        |(number, cell)| {
            let source = cell.get("source").or_else(|| cell.get("input"))?;
            Some(CodeCell { number, offset: cell.offset as u64, source: joined(source) })
        },
    )
}

/// A text that may be written as a list of lines.
fn joined<'n>(node: &'n Node<'_>) -> Cow<'n, str> {
    match node.text() {
        Some(text) => text.into(),
        None => node.list().iter().filter_map(Node::text).collect::<String>().into(),
    }
}

/// Looks through a notebook.
pub(super) fn judge(root: &Node<'_>, scan: &mut Scan<'_>) -> Parsed<()> {
    let code: Vec<CodeCell<'_>> = code_cells(root).collect();
    let whole: String = code.iter().flat_map(|cell| [&*cell.source, "\n"]).take(MOST_CALLS).collect();
    if shell::staged(&whole).is_some() {
        scan.find(&COMMAND, 0, "its cells together run what they download");
    }
    code::cells(&code, scan)?;
    for cell in &code {
        commands(cell, scan);
        if let Some((kind, _)) = secret::find(&cell.source) {
            scan.find(&CREDENTIAL, cell.offset, format!("{kind} in cell {}", cell.number));
        }
    }
    for (number, cell) in cells(root).enumerate() {
        for output in cell.get("outputs").map(Node::list).unwrap_or_default() {
            outputs(number, output, scan);
        }
        if cell.get_text("cell_type") == Some("markdown") {
            let source = cell.get("source").map(joined).unwrap_or_default();
            script("markdown", &source, number, cell.offset as u64, scan);
        }
    }
    Ok(())
}

/// Shell escapes (`!…`, `%%bash`, `%system`) and the strings that Python hands to a shell.
fn commands(cell: &CodeCell<'_>, scan: &mut Scan<'_>) {
    let number = cell.number;
    match shell::attack(&cell.source) {
        Some(Attack::Installer) => {
            scan.find(&INSTALL, cell.offset, format!("cell {number} runs a remote installer"));
        }
        Some(attack) => scan.find(&COMMAND, cell.offset, format!("cell {number} holds {}", attack.name())),
        None => {}
    }
    for line in cell.source.lines().map(str::trim_start).filter(|line| line.starts_with(['!', '%'])) {
        let command = line.trim_start_matches(['!', '%', ' ']);
        let pip = command.contains("pip install")
            || command.contains("pip3 install")
            || command.contains("uv pip install");
        if pip && from_elsewhere(command) {
            scan.find(&INSTALL, cell.offset, format!("cell {number} runs `{}`", shown(command)));
        }
    }
    if let Some(what) = hidden_execution(&cell.source) {
        scan.find(&COMMAND, cell.offset, format!("cell {number} {what}"));
    }
}

/// `pip install` of an address that is no well-known source, or with another index without encryption.
fn from_elsewhere(command: &str) -> bool {
    const USUAL: &[&str] = &[
        "https://github.com/",
        "https://download.pytorch.org/",
        "https://data.pyg.org/",
        "https://pypi.org/",
        "https://pypi.nvidia.com",
        "https://storage.googleapis.com/",
        "https://huggingface.co/",
        "https://wheels.vllm.ai/",
        "https://test.pypi.org/",
    ];
    command.split_whitespace().any(|word| {
        let url = word.trim_matches(['"', '\'']);
        let url = url.split_once("git+").map_or(url, |(_, url)| url);
        url.contains("://") && !USUAL.iter().any(|usual| url.contains(usual))
    })
}

/// Calls of one function in one cell that are looked at.
const MOST_CALLS: usize = 10_000;

/// Code that runs what it first decodes or downloads.
fn hidden_execution(source: &str) -> Option<&'static str> {
    let squeezed: String = source.chars().filter(|c| !c.is_whitespace() || *c == '\n').collect();
    let decodes = ["b64decode(", "decompress(", "marshal.loads(", "bytes.fromhex(", "codecs.decode("];
    let downloads = ["urlopen(", "requests.get(", "urlretrieve("];
    let within = |call: &str, inner: &[&str]| {
        squeezed.match_indices(call).take(MOST_CALLS).any(|(at, _)| {
            let before = squeezed.get(..at).and_then(|before| before.chars().last());
            let argument = squeezed.get(at + call.len()..).unwrap_or_default();
            let argument: String = argument.chars().take(160).filter(|c| *c != '\n').collect();
            before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && (c != '.' || call.contains('.')))
                && inner.iter().any(|inner| argument.contains(inner))
        })
    };
    if ["exec(", "eval("].iter().any(|call| within(call, &decodes) || within(call, &downloads)) {
        return Some("runs code that it decodes or downloads");
    }
    if [
        "pickle.loads(",
        "pickle.load(",
        "cloudpickle.loads(",
        "dill.loads(",
        "marshal.loads(",
        "joblib.load(",
        "torch.load(",
    ]
    .iter()
    .any(|call| within(call, &downloads))
    {
        return Some("unpickles what it downloads");
    }
    let writes = ["'a'", "\"a\"", "'w'", "\"w\"", ">>", "'a+'"].iter().any(|mode| squeezed.contains(mode));
    if writes
        && ["/.ssh/authorized_keys", "/etc/cron", "/var/spool/cron", "/.bashrc", "/.profile"]
            .iter()
            .any(|path| squeezed.contains(path))
    {
        return Some("puts itself into what runs at the next login");
    }
    if squeezed.contains("dup2(") && squeezed.contains("socket") {
        return Some("opens a shell to another machine");
    }
    let shells_out = ["os.system(", "os.popen(", "subprocess."].iter().any(|call| squeezed.contains(call));
    let secrets =
        ["/.ssh/id_", "/etc/shadow", "/.aws/credentials"].iter().any(|path| squeezed.contains(path));
    let sends = squeezed.contains("requests.post(")
        || squeezed.contains("urlopen(")
        || shells_out && squeezed.contains("curl");
    (secrets && sends).then_some("sends files of the host away")
}

fn outputs(number: usize, output: &Node<'_>, scan: &mut Scan<'_>) {
    let at = output.offset as u64;
    if let Some((kind, _)) = output.get("text").map(joined).as_deref().and_then(secret::find) {
        scan.find(&CREDENTIAL, at, format!("{kind} in the output of cell {number}"));
    }
    let data = output.get("data").unwrap_or(output);
    for (kind, value) in data.entries() {
        match kind.as_ref() {
            "application/javascript" | "text/javascript" | "javascript" => {
                let text = joined(value);
                hostile(&text, number, at, scan);
                if !library(&text) {
                    scan.find(&ACTIVE_OUTPUT, at, format!("the output of cell {number} is a script"));
                }
            }
            "text/html" | "html" | "image/svg+xml" | "svg" | "text/markdown" => {
                script(kind, &joined(value), number, at, scan);
            }
            _ => {}
        }
    }
}

/// Plotting libraries put their own scripts into outputs.
fn library(text: &str) -> bool {
    [
        "Plotly",
        "plotly",
        "Bokeh",
        "bokeh",
        "vega",
        "require.config",
        "require.undef",
        "google.colab",
        "altair",
        "IPython.notebook",
        "shap",
    ]
    .iter()
    .any(|name| text.contains(name))
}

fn script(kind: &str, html: &str, number: usize, at: u64, scan: &mut Scan<'_>) {
    let lower = html.to_ascii_lowercase();
    let handler =
        ["onerror=", "onload=", "onmouseover=", "javascript:"].iter().any(|mark| lower.contains(mark));
    if !lower.contains("<script") && !handler {
        return;
    }
    if !hostile(html, number, at, scan) && !library(html) && !lower.contains("google.colab") {
        scan.find(&ACTIVE_OUTPUT, at, format!("the {kind} of cell {number} carries a script"));
    }
}

/// Whether a script takes the reader's session or runs code in the kernel.
fn hostile(text: &str, number: usize, at: u64, scan: &mut Scan<'_>) -> bool {
    let steals = ["document.cookie", "localStorage", "sessionStorage"].iter().any(|what| text.contains(what))
        && ["fetch(", "XMLHttpRequest", "sendBeacon", ".src", "location"]
            .iter()
            .any(|way| text.contains(way));
    let kernel = text.contains("kernel.execute(")
        && ["execute('!", "execute(\"!", "execute(`!", "os.system", "subprocess", "__import__", "exec("]
            .iter()
            .any(|c| text.contains(c));
    if steals || kernel {
        let what = if steals { "sends the reader's session away" } else { "runs commands in the kernel" };
        scan.find(&HOSTILE_OUTPUT, at, format!("the output of cell {number} {what}"));
    }
    steals || kernel
}
