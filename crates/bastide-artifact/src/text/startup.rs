//! Texts whose commands tools run by themselves: when a folder is opened or built, at login, or when a program starts.

use super::shell::{self, Attack};
use super::{ATTACK, GIT};
use crate::document::code;
use crate::scan::{Scan, shown};

/// Files that a tool looks for under this name, in small letters.
const NAMES: &[&str] = &[
    ".bash_login",
    ".bash_logout",
    ".bash_profile",
    ".bashrc",
    ".envrc",
    ".gdbinit",
    ".lldbinit",
    ".netrc",
    ".npmrc",
    ".profile",
    ".pylintrc",
    ".rprofile",
    ".vimrc",
    ".xprofile",
    ".zlogin",
    ".zprofile",
    ".zshenv",
    ".zshrc",
    "autorun.inf",
    "build.rs",
    "cmakelists.txt",
    "configure.ac",
    "crontab",
    "gnumakefile",
    "jenkinsfile",
    "justfile",
    "makefile",
    "meson.build",
    "procfile",
    "pylintrc",
    "pyproject.toml",
    "rakefile",
    "rprofile.site",
    "setup.cfg",
    "snakefile",
    "tox.ini",
    "vagrantfile",
];

/// The same by the last part of the name.
const EXTENSIONS: &[&str] = &[
    "cmake", "cron", "def", "desktop", "gemspec", "gradle", "mk", "nf", "plist", "r", "rb", "reg", "service",
    "timer", "url",
];

/// Whether a tool runs what stands in a file of this name.
pub(super) fn is_startup(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str())
        || name.rsplit_once('.').is_some_and(|(_, extension)| EXTENSIONS.contains(&extension))
}

/// Whether setuptools or virtualenv writes `line` into a `.pth` file: it calls what they install beside it, which is assessed
/// like any other source.
pub(super) fn is_of_packager(line: &str) -> bool {
    let switch = line
        .strip_prefix("import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, '")
        .and_then(|rest| rest.strip_prefix("local").or_else(|| rest.strip_prefix("stdlib")));
    let editable = || {
        let (module, call) = line.strip_prefix("import ")?.split_once("; ")?;
        let finder = module.starts_with("__editable__") && module.ends_with("_finder");
        Some(finder && call.trim_end() == format!("{module}.install()"))
    };
    line.trim_end() == "import _virtualenv"
        || editable() == Some(true)
        || switch.map(str::trim_end)
            == Some("') == 'local'; enabled and __import__('_distutils_hack').add_shim();")
}

/// Whether this is a configuration of Git.
pub(super) fn is_git_config(name: &str, head: &str) -> bool {
    matches!(name, "config" | "config.worktree" | ".gitconfig" | "gitconfig" | ".gitmodules")
        && head.lines().map(str::trim).any(|line| line.starts_with('[') && line.contains(']'))
}

/// Looks through a text that a tool runs.
pub(super) fn judge(text: &str, scan: &mut Scan<'_>) {
    if let Some(attack) = shell::script(text).filter(|attack| *attack != Attack::Installer) {
        scan.find(&ATTACK, 0, format!("the file holds {}", attack.name()));
        return;
    }
    // pylint runs this text as Python.
    let hook = text.lines().filter_map(|line| line.trim().strip_prefix("init-hook")).find_map(code::call);
    if let Some(call) = hook {
        scan.find_call(&ATTACK, 0, "`init-hook` runs commands", call);
    }
}

/// Settings of Git whose value is a command: <https://git-scm.com/docs/git-config>.
const COMMANDS: &[&str] = &[
    "askpass",
    "clean",
    "cmd",
    "command",
    "driver",
    "editor",
    "external",
    "fsmonitor",
    "helper",
    "pager",
    "process",
    "program",
    "receivepack",
    "smudge",
    "sshcommand",
    "textconv",
    "uploadpack",
];

/// Looks through a configuration of Git: several settings are commands, and some run by `git status` alone.
pub(super) fn git(text: &str, scan: &mut Scan<'_>) {
    let mut at = 0;
    let mut section = String::new();
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len() as u64;
        let line = line.trim();
        if line.starts_with('[') {
            section = line.trim_start_matches('[').to_ascii_lowercase();
        }
        let setting = line.rsplit_once(']').map_or(line, |(_, setting)| setting).trim();
        let Some((key, value)) = setting.split_once('=') else { continue };
        let (key, value) = (key.trim().to_ascii_lowercase(), unquoted(value.trim()));
        if let Some(what) = setting_of(&section, &key, &value) {
            scan.find(&GIT, start, format!("`{}` {what}: `{}`", shown(&key), shown(&value)));
        }
    }
}

/// What is wrong with one setting.
fn setting_of(section: &str, key: &str, value: &str) -> Option<&'static str> {
    let command = COMMANDS.contains(&key)
        || section.starts_with("alias") && value.starts_with('!')
        || key == "update" && value.starts_with('!');
    let program = value.trim_start_matches('!').split_whitespace().next().unwrap_or_default();
    let known = program.rsplit(['/', '\\']).next().unwrap_or(program);
    if key == "hookspath" && (value.starts_with("..") || crate::graph::is_of_host(value)) {
        return Some("takes hooks from elsewhere");
    }
    if !command {
        return None;
    }
    if shell::script(value).is_some_and(|attack| attack != Attack::Installer) {
        return Some("attacks");
    }
    match key {
        "fsmonitor" if matches!(value, "true" | "false" | "yes" | "no" | "1" | "0" | "") => None,
        // Published with Git, and a program that is in use.
        "fsmonitor" if matches!(known, "query-watchman" | "fsmonitor-watchman" | "rs-git-fsmonitor") => None,
        "fsmonitor" => Some("is run by every `git status`"),
        "sshcommand" if !matches!(known, "ssh" | "ssh.exe" | "plink" | "plink.exe" | "tortoiseplink.exe") => {
            Some("is run instead of `ssh`")
        }
        "sshcommand"
            if value.contains([';', '|', '&', '$', '`'])
                || value.to_ascii_lowercase().contains("proxycommand") =>
        {
            Some("is run instead of `ssh`")
        }
        _ => None,
    }
}

fn unquoted(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.map_or_else(|| value.to_owned(), |inner| inner.replace("\\\"", "\"").replace("\\\\", "\\"))
}
