//! A folder scanned as the one thing that it is.

use std::fs;
use std::num::NonZero;

use bastide_registry::{Options, scan};
use bastide_types::Assessment;

#[test]
fn files_of_one_folder_are_judged_by_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("sub")).unwrap();
    fs::write(at("model.safetensors"), b"\x80\x04}.").unwrap();
    fs::write(
        at("model.safetensors.index.json"),
        br#"{"weight_map": {"a": "sub/one.bin", "b": "sub/two.bin"}}"#,
    )
    .unwrap();
    fs::write(at("sub/one.bin"), b"\x80\x04}.").unwrap();
    let scanned = scan(&[folder.path().to_owned()], &Options::default(), &());
    let mut found: Vec<(String, &str, &str)> = Vec::new();
    for file in &scanned.files {
        for (finding, _) in file.findings() {
            let path = file.path.strip_prefix(folder.path()).unwrap();
            found.push((path.display().to_string(), finding.rule.id, &finding.message));
        }
    }
    assert_eq!(
        found,
        [
            (
                "model.safetensors".to_owned(),
                "folder.disguised",
                "a pickle file is called `model.safetensors`"
            ),
            (
                "model.safetensors.index.json".to_owned(),
                "folder.missing",
                "it names `sub/two.bin`, which is not among the files"
            ),
        ]
    );
    assert_eq!(scanned.assessment(), Assessment::Malicious);
}

#[test]
fn every_file_has_its_own_digest_whatever_is_read_beside_it() {
    let root = tempfile::tempdir().unwrap();
    let content = |i: usize| vec![i.to_le_bytes()[0]; 70_001 * i];
    for i in 0..8 {
        fs::write(root.path().join(format!("{i}.bin")), content(i)).unwrap();
    }
    let options = Options { digest: true, threads: NonZero::new(2).unwrap(), ..Options::default() };
    let scan = scan(&[root.path().to_owned(), root.path().join("missing")], &options, &());
    let (missing, files) = scan.files.split_last().unwrap();
    for (i, file) in files.iter().enumerate() {
        assert_eq!(file.sha256, Some(bastide_crypto::sha256(&content(i))), "{}", file.path.display());
    }
    assert_eq!((files.len(), missing.sha256), (8, None));
}
