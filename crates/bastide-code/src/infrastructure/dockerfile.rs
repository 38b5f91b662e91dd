//! Dockerfiles: <https://docs.docker.com/reference/dockerfile/>.

use crate::infrastructure::container::{self, Container};
use crate::infrastructure::rules;
use crate::remark::{Remarks, shown};
use crate::shell::{self, Shell};

/// One instruction with the lines that continue it.
struct Instruction {
    name: String,
    words: String,
    line: usize,
}

pub(crate) fn read(text: &str, remarks: &mut Remarks<'_>) {
    let instructions = instructions(text);
    let mut stages: Vec<String> = Vec::new();
    let mut user: Option<String> = None;
    let mut last = Container {
        name: "image".to_owned(),
        line: 1,
        image: String::new(),
        image_line: 1,
        command: String::new(),
        command_line: 1,
        environment: Vec::new(),
        environment_lines: Vec::new(),
    };
    for Instruction { name, words, line } in &instructions {
        match name.as_str() {
            "FROM" => {
                let mut parts = words.split_whitespace().filter(|word| !word.starts_with("--"));
                let image = parts.next().unwrap_or_default();
                if !stages.iter().any(|stage| stage == image) {
                    container::image(image, *line, remarks);
                }
                stages.extend(parts.nth(1).map(str::to_owned));
                user = None;
                last = Container {
                    image: image.to_owned(),
                    image_line: *line,
                    line: *line,
                    command: String::new(),
                    environment: Vec::new(),
                    environment_lines: Vec::new(),
                    ..last
                };
            }
            "USER" => user = Some(words.clone()),
            "ENV" | "ARG" => {
                for (name, value) in variables(words) {
                    container::key(&name, &value, *line, remarks);
                    last.environment.push((name, value));
                    last.environment_lines.push(*line);
                }
            }
            "ADD" => added(words, *line, remarks),
            "RUN" => run(words, *line, remarks),
            "CMD" | "ENTRYPOINT" => {
                last.command.push_str(&exec_form(words));
                last.command.push(' ');
                last.command_line = *line;
            }
            _ => {}
        }
    }
    container::arguments(&last.command, last.command_line, remarks);
    let environment =
        last.environment.iter().map(|(name, value)| format!("{name}={value} ")).collect::<String>();
    if let Some(server) = super::servers::exposed_command(&format!("{environment}{}", last.command)) {
        let message = format!("{server} is started on every address and asks for no login");
        remarks.add_line(&rules::EXPOSED, last.command_line, message);
    }
    if let Some(how) = super::servers::turned_off(&last.command, &last.environment) {
        remarks.add_line(&rules::LOGIN_OFF, last.command_line, format!("`{}` lets everyone in", shown(&how)));
    }
    let root = user.as_deref().is_none_or(|user| matches!(user.split(':').next(), Some("root" | "0")));
    if root && last.server().is_some() {
        remarks.add_line(&rules::ROOT, last.command_line, "the server in this image runs as root");
    }
}

/// The instructions; here-documents belong to theirs.
fn instructions(text: &str) -> Vec<Instruction> {
    const LONGEST: usize = 64 << 10;
    let mut all: Vec<Instruction> = Vec::new();
    let mut continues = false;
    let mut heredoc: Option<String> = None;
    for (number, line) in text.lines().enumerate() {
        let bare = line.trim();
        if let Some(end) = &heredoc {
            if bare == end {
                heredoc = None;
            } else if let Some(last) = all.last_mut().filter(|last| last.words.len() < LONGEST) {
                last.words.push('\n');
                last.words.push_str(bare);
            }
            continue;
        }
        if bare.starts_with('#') || (bare.is_empty() && continues) {
            continue;
        }
        let body = bare.trim_end_matches(['\\', '`']);
        let more = body.len() < bare.len();
        if continues {
            if let Some(last) = all.last_mut().filter(|last| last.words.len() < LONGEST) {
                last.words.push(' ');
                last.words.push_str(body.trim());
            }
        } else if let Some((name, words)) = bare.split_once(char::is_whitespace) {
            let words = words.trim().trim_end_matches(['\\', '`']).trim().to_owned();
            all.push(Instruction { name: name.to_ascii_uppercase(), words, line: number + 1 });
        }
        continues = more;
        if let Some((_, end)) = bare
            .split_once("<<")
            .filter(|_| matches!(all.last().map(|last| last.name.as_str()), Some("RUN" | "COPY" | "ADD")))
        {
            let end = end
                .trim_start_matches('-')
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .trim_matches(['"', '\'']);
            heredoc = (!end.is_empty()).then(|| end.to_owned());
        }
    }
    all
}

/// `A=b C="d e"` or `A b`.
fn variables(words: &str) -> Vec<(String, String)> {
    if !words.split_whitespace().next().is_some_and(|word| word.contains('=')) {
        let (name, value) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
        return vec![(name.to_owned(), value.trim().to_owned())];
    }
    let pairs = words.split_whitespace().filter_map(|word| word.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.trim_matches(['"', '\'']).to_owned()))
        .take(256)
        .collect()
}

/// `["a", "b"]` as `a b`.
fn exec_form(words: &str) -> String {
    match serde_json::from_str::<Vec<String>>(words) {
        Ok(words) => words.join(" "),
        Err(_) => words.to_owned(),
    }
}

fn added(words: &str, line: usize, remarks: &mut Remarks<'_>) {
    let remote =
        words.split_whitespace().any(|word| word.starts_with("http://") || word.starts_with("https://"));
    if remote && !words.contains("--checksum=") {
        remarks.add_line(
            &rules::FETCHED_BUILD,
            line,
            "`ADD` takes a file from the network and compares no digest",
        );
    }
}

fn run(words: &str, line: usize, remarks: &mut Remarks<'_>) {
    let checked =
        ["sha256sum", "sha512sum", "gpg --verify", "cosign verify"].iter().any(|check| words.contains(check));
    if matches!(shell::judge(words), Some(Shell::Pipe | Shell::Installer)) && !checked {
        remarks.add_line(
            &rules::FETCHED_BUILD,
            line,
            "the build runs what it downloads and compares no digest",
        );
    }
}
