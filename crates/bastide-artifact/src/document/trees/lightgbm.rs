//! LightGBM's text: one block of lists for each tree.

use std::collections::BTreeMap;

use super::OVERRUN;
use crate::document::decode;
use crate::halt::Parsed;
use crate::scan::{Scan, shown};
use crate::source::{Part, Source};

/// Whether this is such a text.
pub(super) fn recognise(head: &[u8]) -> bool {
    head.starts_with(b"tree\nversion=") || head.starts_with(b"tree\r\nversion=")
}

/// Checks every tree: its lists have the lengths that it states, and its indices lead to its own nodes.
pub(super) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    scan.facts.property("architecture", "lightgbm");
    let bytes = decode::whole(source, scan)?;
    let text = decode::text(&bytes);
    let mut features = None;
    let mut tree: BTreeMap<&str, &str> = BTreeMap::new();
    let mut at = 0_u64;
    let mut tree_at = 0;
    let mut done = false;
    for line in text.split_inclusive('\n') {
        scan.spend(line.len() as u64 / 16 + 1)?;
        let start = at;
        at += line.len() as u64;
        let line = line.trim_end();
        let Some((key, value)) = line.split_once('=') else {
            done |= line == "end of trees";
            if line.starts_with("pandas_categorical:") {
                break;
            }
            continue;
        };
        if done {
            continue;
        }
        match key {
            "version" => scan.facts.property("version", value),
            "max_feature_idx" => features = value.parse::<i64>().ok(),
            "Tree" => {
                check(&tree, features, tree_at, scan);
                tree.clear();
                tree_at = start;
            }
            _ => {}
        }
        if tree_at > 0 {
            tree.insert(key, value);
        }
    }
    check(&tree, features, tree_at, scan);
    // The parameters end the text; a loader of something else may begin here.
    if at < source.size() {
        scan.nested("behind the trees", &Part::from(source, at));
    }
    Ok(())
}

fn check(tree: &BTreeMap<&str, &str>, features: Option<i64>, at: u64, scan: &mut Scan<'_>) {
    let Some(leaves) = tree.get("num_leaves").and_then(|leaves| leaves.parse::<i64>().ok()) else { return };
    let inner = (leaves - 1).max(0);
    let rows = [
        ("split_feature", inner, 0, features.unwrap_or(i64::MAX)),
        ("left_child", inner, -leaves.max(1), inner - 1),
        ("right_child", inner, -leaves.max(1), inner - 1),
    ];
    for (key, count, least, most) in rows {
        let Some(list) = tree.get(key) else { continue };
        let mut found = 0;
        let mut outside = false;
        for number in list.split_whitespace() {
            found += 1;
            outside |= number.parse::<i64>().map_or(true, |number| number < least || number > most);
        }
        if outside || found != count {
            let message =
                format!("`{key}` of a tree leads outside of its {} leaves", shown(&leaves.to_string()));
            scan.find(&OVERRUN, at, message);
        }
    }
}
