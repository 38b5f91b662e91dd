//! What a pickle says of itself: versions of libraries, tensors and arrays.

use super::joblib::elements;
use super::judge::Judge;
use super::machine::{Call, State};
use super::value::{Kind, Value};

/// The package, as the index knows it, whose version stands under a key of a state or checkpoint.
pub(super) fn library_of(key: &[u8]) -> Option<&'static str> {
    Some(match key {
        b"_sklearn_version" | b"sklearn_version" => "scikit-learn",
        b"pytorch-lightning_version" => "pytorch-lightning",
        b"transformers_version" => "transformers",
        b"torch_version" | b"pytorch_version" => "torch",
        b"xgboost_version" => "xgboost",
        b"lightgbm_version" => "lightgbm",
        b"catboost_version" => "catboost",
        b"numpy_version" => "numpy",
        b"pandas_version" => "pandas",
        b"scipy_version" => "scipy",
        b"keras_version" => "keras",
        b"ultralytics_version" => "ultralytics",
        b"peft_version" => "peft",
        _ => return None,
    })
}

/// Notes the version of a library, if it is spelled like one.
pub(super) fn note_version(judge: &mut Judge<'_, '_>, state: &State<'_>, key: Value, version: Value) {
    let Some(library) = state.text(key).and_then(|key| library_of(key.as_bytes())) else { return };
    let Some(version) = state.text(version) else { return };
    let spelled = version.starts_with(|c: char| c.is_ascii_digit())
        && version.len() <= 64
        && version.bytes().all(|b| b.is_ascii_alphanumeric() || b".+-_!".contains(&b));
    if spelled {
        judge.scan.facts.library(library, &version);
    }
}

/// Notes the tensor or array that a call makes.
pub(super) fn note_call(judge: &mut Judge<'_, '_>, state: &State<'_>, call: &Call<'_>) {
    let Some(global) = state.global(call.callee) else { return };
    match (global.name.as_str(), call.args) {
        ("_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_qtensor", &[storage, _, size, ..]) => {
            let Some(count) = elements(state, size) else { return };
            if let Some(stored) = judge.storages.stored(storage) {
                judge.scan.facts.tensor(stored.name, count);
            }
        }
        ("_rebuild_tensor_v3", &[_, _, size, _, _, _, dtype, ..]) => {
            let dtype = state.global(dtype).filter(|g| g.module == "torch");
            if let Some((dtype, count)) = dtype.zip(elements(state, size)) {
                judge.scan.facts.tensor(&dtype.name, count);
            }
        }
        ("_frombuffer", &[_, dtype, shape, ..]) => array(judge, state, dtype, shape),
        _ => {}
    }
}

/// Notes the array that is given its state: `(1, shape, dtype, in_columns, bytes)`.
pub(super) fn note_build(judge: &mut Judge<'_, '_>, state: &State<'_>, object: Value, with: Value) {
    let made =
        state.global(object).is_some_and(|g| g.name == "_reconstruct" && g.module.starts_with("numpy"));
    let cell = state.heap.get(with).filter(|_| made && with.kind() == Kind::Tuple);
    if let Some(&[_, shape, dtype, ..]) = cell.map(|cell| cell.items()) {
        array(judge, state, dtype, shape);
    }
}

fn array(judge: &mut Judge<'_, '_>, state: &State<'_>, dtype: Value, shape: Value) {
    if let Some((element, count)) = judge.arrays.element(dtype).zip(elements(state, shape)) {
        judge.scan.facts.tensor(&element.code(), count);
    }
}
