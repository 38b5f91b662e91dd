//! A folder signed and verified, and everything that may happen to it in between.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it does not expect")]

use std::fs;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use bastide_crypto::{ContentHash, Curve, EcdsaSigningKey};
use bastide_registry::{
    CoverOptions, SignModelError, SignOptions, VerifyModelError, VerifyOptions, WalkError, compare_all,
    find_copy, sign_model, verify_model, verify_signature,
};
use bastide_signing::{BaseModel, Identity, ManifestError, Method, Mismatch, Trust};

struct Model {
    folder: tempfile::TempDir,
    key: EcdsaSigningKey,
}

impl Model {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in
            [("tok/a", "1"), ("tok.json", "2"), ("with space ü", "3"), ("empty", ""), (".gitignore", "4")]
        {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        Model { folder, key: EcdsaSigningKey::generate(Curve::P256).unwrap() }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sign(&self, options: &SignOptions) -> Result<(), SignModelError> {
        let identity = Identity::key(self.key.verifying_key());
        sign_model(self.folder.path(), &self.at("model.sig"), options, &self.key, identity).map(|_| ())
    }

    fn verify(&self, options: &VerifyOptions) -> Result<(), VerifyModelError> {
        let trust = Trust::Key(self.key.verifying_key());
        verify_model(self.folder.path(), &self.at("model.sig"), trust, options).map(|_| ())
    }

    fn mismatch(&self) -> Mismatch {
        match self.verify(&VerifyOptions::default()) {
            Err(VerifyModelError::Mismatch(mismatch)) => mismatch,
            other => panic!("expected a mismatch, got {other:?}"),
        }
    }
}

fn plain() -> SignOptions {
    SignOptions {
        cover: CoverOptions::default(),
        method: Method::Files,
        hash: ContentHash::Sha256,
        base_model: None,
    }
}

#[test]
fn every_method_and_hash_verifies() {
    let shards = Method::Shards { bytes: NonZeroU64::new(1_000_000).unwrap() };
    for method in [Method::Files, shards] {
        for hash in [ContentHash::Sha256, ContentHash::Blake2b512, ContentHash::Blake3] {
            let model = Model::new();
            model.sign(&SignOptions { method, hash, ..plain() }).unwrap();
            model.verify(&VerifyOptions::default()).unwrap();
            fs::write(model.at("tok/a"), "x").unwrap();
            assert_eq!(model.mismatch().changed.len(), 1);
        }
    }
}

#[test]
fn what_is_added_removed_renamed_or_changed_is_named() {
    let model = Model::new();
    model.sign(&plain()).unwrap();
    fs::rename(model.at("tok/a"), model.at("tok/b")).unwrap();
    fs::write(model.at("empty"), "no more").unwrap();
    let mismatch = model.mismatch();
    let names =
        |places: &[bastide_signing::Place]| places.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&mismatch.missing), ["tok/a"]);
    assert_eq!(names(&mismatch.extra), ["tok/b"]);
    assert_eq!(names(&mismatch.changed), ["empty"]);
}

#[test]
fn unsigned_files_are_allowed_only_on_request_and_signed_ones_still_count() {
    let model = Model::new();
    model.sign(&plain()).unwrap();
    fs::write(model.at("extra"), "x").unwrap();
    assert_eq!(model.mismatch().extra.len(), 1);
    let lenient = VerifyOptions { allow_unsigned: true, ..VerifyOptions::default() };
    model.verify(&lenient).unwrap();
    fs::remove_file(model.at("tok.json")).unwrap();
    assert!(matches!(model.verify(&lenient), Err(VerifyModelError::Mismatch(_))));
}

#[test]
fn version_control_counts_only_when_it_was_signed() {
    let model = Model::new();
    model.sign(&plain()).unwrap();
    fs::write(model.at(".gitignore"), "changed").unwrap();
    fs::create_dir(model.at(".git")).unwrap();
    fs::write(model.at(".git/config"), "new").unwrap();
    model.verify(&VerifyOptions::default()).unwrap();

    let model = Model::new();
    let cover = CoverOptions { include_git: true, ..CoverOptions::default() };
    model.sign(&SignOptions { cover, ..plain() }).unwrap();
    model.verify(&VerifyOptions::default()).unwrap();
    fs::write(model.at(".gitignore"), "changed").unwrap();
    assert_eq!(model.mismatch().changed.len(), 1);
}

#[test]
fn nothing_that_was_signed_can_be_ignored_later() {
    let model = Model::new();
    model.sign(&plain()).unwrap();
    fs::write(model.at("tok/a"), "changed").unwrap();
    let cover = CoverOptions { ignore: vec![model.at("tok")], ..CoverOptions::default() };
    let found = model.verify(&VerifyOptions { cover, allow_unsigned: false });
    assert!(matches!(found, Err(VerifyModelError::Mismatch(_))));
}

#[test]
fn what_was_ignored_when_signing_is_ignored_when_verifying() {
    let model = Model::new();
    let cover = CoverOptions { ignore: vec![model.at("tok")], ..CoverOptions::default() };
    model.sign(&SignOptions { cover, ..plain() }).unwrap();
    fs::write(model.at("tok/new"), "x").unwrap();
    model.verify(&VerifyOptions::default()).unwrap();
}

#[test]
fn a_link_in_place_of_a_file_is_refused_even_with_the_same_bytes() {
    let model = Model::new();
    model.sign(&plain()).unwrap();
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::write(outside.path(), "2").unwrap();
    fs::remove_file(model.at("tok.json")).unwrap();
    std::os::unix::fs::symlink(outside.path(), model.at("tok.json")).unwrap();
    assert!(matches!(
        model.verify(&VerifyOptions::default()),
        Err(VerifyModelError::Walk(WalkError::Symlink(_)))
    ));
}

#[test]
fn a_model_of_nothing_is_not_signed_and_a_model_of_one_file_is() {
    let model = Model::new();
    let cover = CoverOptions {
        ignore: ["tok", "tok.json", "with space ü", "empty"].map(|name| model.at(name)).to_vec(),
        ..CoverOptions::default()
    };
    let found = model.sign(&SignOptions { cover, ..plain() });
    assert!(matches!(found, Err(SignModelError::Manifest(ManifestError::Empty))));

    let (file, signature) = (model.at("tok.json"), model.at("tok.sig"));
    let identity = Identity::key(model.key.verifying_key());
    sign_model(&file, &signature, &plain(), &model.key, identity).unwrap();
    let check = |file: &Path| {
        verify_model(file, &signature, Trust::Key(model.key.verifying_key()), &VerifyOptions::default())
    };
    assert_eq!(check(&file).unwrap().manifest().name(), "tok.json");
    check(&model.at("tok/a")).unwrap_err();
}

#[test]
fn the_base_of_an_adapter_is_part_of_its_signature() {
    let model = Model::new();
    let base = BaseModel { name: "base".to_owned(), root: [9; 32] };
    model.sign(&SignOptions { base_model: Some(base.clone()), ..plain() }).unwrap();
    let trust = Trust::Key(model.key.verifying_key());
    let verified =
        verify_model(model.folder.path(), &model.at("model.sig"), trust, &VerifyOptions::default()).unwrap();
    assert_eq!(verified.manifest().base_model(), Some(&base));
}

fn shards() -> SignOptions {
    SignOptions { method: Method::Shards { bytes: NonZeroU64::new(10).unwrap() }, ..plain() }
}

#[test]
fn files_without_content_count_under_shards_too() {
    let model = Model::new();
    model.sign(&shards()).unwrap();
    model.verify(&VerifyOptions::default()).unwrap();
    fs::write(model.at("__init__.py"), "").unwrap();
    fs::remove_file(model.at("empty")).unwrap();
    let mismatch = model.mismatch();
    assert_eq!(mismatch.extra.first().map(ToString::to_string).as_deref(), Some("__init__.py"));
    assert_eq!(mismatch.missing.first().map(ToString::to_string).as_deref(), Some("empty"));
    // Content where none was signed.
    fs::remove_file(model.at("__init__.py")).unwrap();
    fs::write(model.at("empty"), "import os").unwrap();
    assert_eq!(model.mismatch().extra.len(), 1);
}

#[test]
fn what_an_index_names_has_to_be_signed() {
    let index =
        r#"{"metadata": {"total_size": 1}, "weight_map": {"a": "../x", "b": ".git/w.bin", "c": "none"}}"#;
    for (name, weights) in
        [("model.safetensors.index.json", ".git/w.bin"), ("tok/x.index.json", "tok/.git/w.bin")]
    {
        let model = Model::new();
        fs::write(model.at(name), index).unwrap();
        model.sign(&plain()).unwrap();
        fs::create_dir_all(model.at(weights).parent().unwrap()).unwrap();
        fs::write(model.at(weights), "w").unwrap();
        let lenient = VerifyOptions { allow_unsigned: true, ..VerifyOptions::default() };
        let Err(VerifyModelError::Index { index, file }) = model.verify(&lenient) else { panic!("{name}") };
        assert_eq!((index.as_str(), file.as_str()), (name, weights));
        let cover = CoverOptions { ignore: vec![model.at("tok/.git")], ..CoverOptions::default() };
        let refused = model.sign(&SignOptions { cover, ..plain() });
        assert!(matches!(refused, Err(SignModelError::Index { .. })), "{name}");
    }
    let model = Model::new();
    fs::write(model.at("x.index.json"), "[no index").unwrap();
    model.sign(&plain()).unwrap();
    model.verify(&VerifyOptions::default()).unwrap();
}

#[test]
fn what_is_not_compared_is_told() {
    let model = Model::new();
    let cover = CoverOptions { ignore: vec![model.at("tok")], ..CoverOptions::default() };
    model.sign(&SignOptions { cover, ..plain() }).unwrap();
    fs::write(model.at("new"), "x").unwrap();
    std::os::unix::fs::symlink(model.at("tok.json"), model.at("link")).unwrap();
    let trust = Trust::Key(model.key.verifying_key());
    let signature = model.at("model.sig");
    let verified = verify_signature(&signature, trust).unwrap();
    let cover = CoverOptions { allow_symlinks: true, ..CoverOptions::default() };
    let told = |allow_unsigned| {
        let options = VerifyOptions { cover: cover.clone(), allow_unsigned };
        find_copy(&verified, model.folder.path(), &signature, &options).unwrap().unchecked().clone()
    };
    let names =
        |paths: &[bastide_signing::ResourcePath]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
    let lenient = told(true);
    assert_eq!(names(&lenient.left_out), [".gitignore", "tok"]);
    assert_eq!(names(&lenient.unsigned), ["link", "new"]);
    assert!(lenient.links.is_empty(), "it is let be");
    assert_eq!(names(&told(false).links), ["link"]);
}

#[test]
fn a_file_that_changes_while_it_is_compared_is_refused() {
    struct Touching(PathBuf);
    impl bastide_registry::Progress for Touching {
        fn planned(&self, _: u64, _: u64) {}
        fn read(&self, _: u64) {}
        fn finished(&self, _: &Path) {
            fs::write(&self.0, "2").unwrap();
        }
    }
    let model = Model::new();
    model.sign(&plain()).unwrap();
    let signature = model.at("model.sig");
    let verified = verify_signature(&signature, Trust::Key(model.key.verifying_key())).unwrap();
    let copy = find_copy(&verified, model.folder.path(), &signature, &VerifyOptions::default()).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    // The same bytes, written anew.
    let found = copy.compare(&verified, &Touching(model.at("tok.json")));
    assert!(matches!(found, Err(VerifyModelError::Digest(_))), "{found:?}");
}

#[test]
fn several_signatures_are_compared_in_one_look() {
    let model = Model::new();
    let trust = Trust::Key(model.key.verifying_key());
    let identity = || Identity::key(model.key.verifying_key());
    let own: Vec<PathBuf> = ["a.sig", "b.sig", "c.sig"].map(|name| model.at(name)).to_vec();
    let cover = CoverOptions { own: own.clone(), ..CoverOptions::default() };
    let hashes = [ContentHash::Sha256, ContentHash::Sha256, ContentHash::Blake3];
    for (path, hash) in own.iter().zip(hashes) {
        let options = SignOptions { cover: cover.clone(), hash, ..plain() };
        sign_model(model.folder.path(), path, &options, &model.key, identity()).unwrap();
    }
    fs::create_dir(model.at("folder")).unwrap();
    let verified: Vec<_> = own.iter().map(|path| verify_signature(path, trust).unwrap()).collect();
    let options = VerifyOptions { cover, allow_unsigned: false };
    let compare = || {
        let copies = verified.iter().zip(&own).map(|(verified, path)| {
            let copy = find_copy(verified, model.folder.path(), path, &options).unwrap();
            let unchecked = copy.unchecked();
            assert_eq!(unchecked.empty_folders.len(), 1);
            // `.gitignore`; the three signatures are not told of.
            assert_eq!((unchecked.left_out.len(), unchecked.count()), (1, 2));
            (copy, verified)
        });
        compare_all(copies.collect(), &()).unwrap()
    };
    assert!(compare().into_iter().all(|result| result.is_ok()));
    fs::write(model.at("tok/a"), "x").unwrap();
    assert!(compare().into_iter().all(|result| matches!(result, Err(VerifyModelError::Mismatch(_)))));
}
