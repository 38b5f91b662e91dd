//! What an archive is, by the names of its members.

use crate::format::Format;

/// How many names are looked at: containers of models show themselves early.
pub(crate) const NAMES: usize = 20_000;

/// What a zip archive with these members is; `is_skops` looks into `schema.json`.
pub(crate) fn of_zip(names: &[&str], is_skops: impl FnOnce() -> bool) -> Format {
    let has = |wanted: &str| names.contains(&wanted);
    // PyTorch puts everything into one folder and calls it as it likes.
    let in_folder = |wanted: &str| names.iter().any(|name| inner(name) == wanted);
    let below = |folder: &str| names.iter().any(|name| inner(name).starts_with(folder));
    if in_folder("data.pkl") {
        return match in_folder("constants.pkl") || below("code/") {
            true => Format::TorchScript,
            false => Format::TorchZip,
        };
    }
    let exported = names.iter().any(|name| inner(name).starts_with("models/") && name.ends_with(".json"));
    if in_folder("archive_format")
        || exported
        || below("data/weights/")
        || has("serialized_exported_program.json")
    {
        return Format::TorchExport;
    }
    if names.iter().any(|name| name.eq_ignore_ascii_case("MAR-INF/MANIFEST.json")) {
        return Format::TorchServe;
    }
    if has("config.json") && (has("metadata.json") || has("model.weights.h5")) {
        return Format::Keras;
    }
    if has("schema.json") && is_skops() {
        return Format::Skops;
    }
    if !names.is_empty() && names.iter().all(|name| name.ends_with(".npy")) {
        return Format::NumpyZip;
    }
    Format::Zip
}

/// What a tar archive with these members is.
pub(crate) fn of_tar(names: &[String]) -> Format {
    let has = |wanted: &str| names.iter().any(|name| name.trim_start_matches("./") == wanted);
    if has("pickle") && (has("storages") || has("tensors") || has("sys_info")) {
        return Format::TorchTar;
    }
    let checkpoint = names.iter().any(|name| name.ends_with(".ckpt") || name.contains("model_weights"));
    if has("model_config.yaml") && checkpoint {
        return Format::Nemo;
    }
    Format::Tar
}

/// The name without the folder at the top.
pub(crate) fn inner(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, rest)| rest)
}

/// Whether a library wrote this container for its own loader, which opens none of its members as a program.
pub(crate) fn is_model(format: Format) -> bool {
    matches!(
        format,
        Format::TorchZip
            | Format::TorchScript
            | Format::TorchTar
            | Format::NumpyZip
            | Format::Keras
            | Format::Skops
            | Format::Nemo
    )
}

/// Whether the member holds raw numbers that no loader opens as a file.
pub(crate) fn is_storage(format: Format, name: &str) -> bool {
    let number = |name: &str, folder: &str| {
        inner(name)
            .strip_prefix(folder)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    match format {
        Format::TorchZip | Format::TorchScript => number(name, "data/") || number(name, "constants/"),
        Format::TorchExport => {
            let inner = inner(name);
            (inner.starts_with("data/weights/") || inner.starts_with("data/constants/"))
                && !inner.ends_with(".pt")
                && !inner.ends_with(".json")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_named_by_their_members() {
        let zip = |names: &[&str]| of_zip(names, || true);
        assert_eq!(zip(&["archive/data.pkl", "archive/version", "archive/data/0"]), Format::TorchZip);
        assert_eq!(zip(&["m/data.pkl", "m/code/__torch__.py", "m/constants.pkl"]), Format::TorchScript);
        assert_eq!(
            zip(&["m/archive_format", "m/models/model.json", "m/data/weights/weight_0"]),
            Format::TorchExport
        );
        assert_eq!(zip(&["MAR-INF/MANIFEST.json", "handler.py"]), Format::TorchServe);
        assert_eq!(zip(&["schema.json", "1.npy"]), Format::Skops);
        assert_eq!(of_zip(&["schema.json", "a.txt"], || false), Format::Zip);
        assert_eq!(zip(&["config.json", "metadata.json", "model.weights.h5"]), Format::Keras);
        assert_eq!(zip(&["a.npy", "b/c.npy"]), Format::NumpyZip);
        assert_eq!(zip(&[]), Format::Zip);
        let tar = |names: &[&str]| of_tar(&names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>());
        assert_eq!(tar(&["sys_info", "pickle", "storages", "tensors"]), Format::TorchTar);
        assert_eq!(tar(&["./model_config.yaml", "./model_weights.ckpt"]), Format::Nemo);
        assert_eq!(tar(&["a", "b"]), Format::Tar);
    }
}
