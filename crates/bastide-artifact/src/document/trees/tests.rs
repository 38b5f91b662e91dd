use bastide_types::Assessment;
use proptest::prelude::*;

use crate::{Format, Limits, Report, scan};

fn judge(bytes: &[u8]) -> Report {
    scan(&bytes, "model", &Limits::default())
}

const LIGHTGBM: &str = "tree\nversion=v4\nnum_class=1\nmax_feature_idx=3\ntree_sizes=100\n\nTree=0\nnum_leaves=3\nnum_cat=0\n\
    split_feature=2 3\nleft_child=-1 -2\nright_child=1 -3\nleaf_value=0.1 0.2 0.3\n\nend of trees\n";

#[test]
fn lightgbm_indices_are_checked() {
    let report = judge(LIGHTGBM.as_bytes());
    assert_eq!(
        (report.format, report.assessment()),
        (Format::Lightgbm, Assessment::Clean),
        "{:?}",
        report.findings
    );
    for (old, new) in [("=2 3", "=2 99"), ("=1 -3", "=7 -3"), ("=-1 -2", "=-1"), ("=1 -3", "=1 -900000")] {
        assert_eq!(judge(LIGHTGBM.replace(old, new).as_bytes()).assessment(), Assessment::Malicious, "{new}");
    }
}

fn ubjson(value: &[u8]) -> Vec<u8> {
    [b"{L\0\0\0\0\0\0\0\x07learner".as_slice(), value, b"}"].concat()
}

#[test]
fn branches_that_come_back_are_malicious() {
    let json = |left: &str, right: &str| {
        format!(
            r#"{{"learner": {{"learner_model_param": {{}}, "gradient_booster": {{"trees": [{{"left_children": {left},
               "right_children": {right}, "tree_param": {{"num_nodes": "3"}}}}]}}}}}}"#
        )
    };
    let list = |name: &str, values: &[i32]| {
        let mut bytes = b"L\0\0\0\0\0\0\0".to_vec();
        bytes.push(u8::try_from(name.len()).unwrap());
        bytes.extend(name.as_bytes());
        bytes.extend(b"[$l#L\0\0\0\0\0\0\0");
        bytes.push(u8::try_from(values.len()).unwrap());
        bytes.extend(values.iter().flat_map(|value| value.to_be_bytes()));
        bytes
    };
    for (left, right, assessment) in [
        ([1, -1, -1], [2, -1, -1], Assessment::Clean),
        ([1, -1, 0], [2, -1, -1], Assessment::Malicious),
        ([1, -1, -1], [1, -1, -1], Assessment::Malicious),
        ([1, 1, -1], [2, -1, -1], Assessment::Malicious),
    ] {
        let text = json(&format!("{left:?}"), &format!("{right:?}"));
        assert_eq!(judge(text.as_bytes()).assessment(), assessment, "{text}");
        let tree =
            [b"{".to_vec(), list("left_children", &left), list("right_children", &right), b"}".to_vec()];
        assert_eq!(judge(&ubjson(&tree.concat())).assessment(), assessment, "{left:?} {right:?}");
    }
}

#[test]
fn ubjson_lengths_are_checked() {
    for (value, assessment) in [
        (b"{L\0\0\0\0\0\0\0\x01aSL\0\0\0\0\0\0\0\x02hi}".as_slice(), Assessment::Clean),
        (b"[$d#L\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0", Assessment::Clean),
        (b"[#L\0\0\0\0\0\0\0\x02TF", Assessment::Clean),
        (b"[$d#L\x10\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0", Assessment::Malicious),
        (b"SL\x10\0\0\0\0\0\0\x02hi", Assessment::Malicious),
        (b"[[[[", Assessment::Unfinished),
    ] {
        let report = judge(&ubjson(value));
        assert_eq!((report.format, report.assessment()), (Format::Xgboost, assessment), "{value:?}");
    }
    assert_eq!(judge(&ubjson(&b"[".repeat(10_000))).assessment(), Assessment::Unfinished);
}

#[test]
fn xgboost_json_children_are_checked() {
    let model = |children: &str| {
        format!(
            r#"{{"learner": {{"gradient_booster": {{"model": {{"trees": [{{"tree_param": {{"num_nodes": "3"}},
               "left_children": {children}, "right_children": [2, -1, -1], "parents": [2147483647, 0, 0]}}]}}}}}},
               "version": [2, 1, 1]}}"#
        )
    };
    let report = judge(model("[1, -1, -1]").as_bytes());
    assert_eq!(
        (report.format, report.assessment()),
        (Format::Xgboost, Assessment::Clean),
        "{:?}",
        report.findings
    );
    assert_eq!(report.facts.libraries[0].version, "2.1.1");
    assert_eq!(judge(model("[9000, -1, -1]").as_bytes()).assessment(), Assessment::Malicious);
}

#[test]
fn versions_are_noted() {
    let catboost = judge(
        br#"{"features_info": {}, "oblivious_trees": [], "model_info": {"catboost_version_info": "v1.2.7\n\nSvn info:"}}"#,
    );
    assert_eq!(catboost.format, Format::Catboost);
    assert_eq!(
        (catboost.facts.libraries[0].name.as_str(), catboost.facts.libraries[0].version.as_str()),
        ("catboost", "1.2.7")
    );
    let lightgbm = judge(LIGHTGBM.as_bytes());
    assert_eq!(lightgbm.facts.properties["version"], "v4");
    assert_eq!(lightgbm.facts.properties["architecture"], "lightgbm");
}

#[test]
fn binary_models_are_measured() {
    let mut old = b"binf".to_vec();
    old.extend([0; 136]);
    old.extend(u64::MAX.to_le_bytes());
    assert_eq!(judge(&old).assessment(), Assessment::Malicious);
    assert_eq!(judge(b"CBM1\x08\0\0\0\x04\0\0\0\0\0\0\0").assessment(), Assessment::Clean);
    assert_eq!(judge(b"CBM1\xff\0\0\0\x04\0\0\0\0\0\0\0").assessment(), Assessment::Unfinished);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = judge(&ubjson(&bytes));
        let _ = judge(&[b"CBM1".as_slice(), &bytes].concat());
        let _ = judge(&[b"binf".as_slice(), &bytes].concat());
    }
}
