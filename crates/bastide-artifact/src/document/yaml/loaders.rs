//! What single programs do with the YAML that they read: MLflow, DVC, and Ultralytics' YOLO.

use super::scalar;
use crate::document::code;
use crate::document::config::rules::{CODE, TARGET, TRAVERSAL};
use crate::document::config::{PROMPTS, escapes};
use crate::document::names::{Named, named};
use crate::graph::is_of_host;
use crate::halt::Parsed;
use crate::scan::{Scan, shown};
use crate::text::shell;

/// The script of a data set, which Ultralytics runs where the data is missing: a shell's, or Python.
pub(super) fn download(script: &str, at: u64, scan: &mut Scan<'_>) -> Parsed<()> {
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
pub(super) enum Files {
    /// MLflow joins these to the folder of the model (CVE-2023-6909).
    Mlflow,
    /// DVC writes and links what it tracks.
    Dvc,
    Other,
}

impl Files {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "MLmodel" => Files::Mlflow,
            "dvc.yaml" | "dvc.lock" => Files::Dvc,
            _ if name.ends_with(".dvc") => Files::Dvc,
            _ => Files::Other,
        }
    }

    pub(super) fn pair(self, key: &str, value: &str, at: u64, scan: &mut Scan<'_>) {
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
pub(super) fn evaluated(line: &str, at: u64, scan: &mut Scan<'_>) {
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
