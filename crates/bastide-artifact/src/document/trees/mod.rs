//! Boosted trees: XGBoost (JSON, UBJSON, and the old binary), LightGBM text, CatBoost.
//!
//! Their loaders are C++: what counts is whether sizes and indices stay within what is there.

mod lightgbm;
mod ubjson;

use bastide_types::{Assessment, Rule, Severity};

use super::json::{Node, Value};
use crate::format::{Format, Glance};
use crate::halt::{Halt, Parsed};
use crate::scan::Scan;
use crate::source::{Cursor, Source};

/// Sizes or indices past the end.
pub(crate) const OVERRUN: Rule = Rule {
    id: "trees.overrun",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "tree model refers to nodes, features or bytes that it does not have",
    why: "the loader or predictor follows the index without a check and reads memory that is not its own",
    fix: "do not load the model",
    cwe: &[125, 129],
    atlas: &["AML.T0010.003"],
};

/// Adds the formats that have a mark of their own.
pub(super) fn recognise(glance: &Glance<'_>, formats: &mut Vec<Format>) {
    let head = glance.head;
    if head.starts_with(b"binf") || ubjson::recognise(head) {
        formats.push(Format::Xgboost);
    }
    if lightgbm::recognise(head) {
        formats.push(Format::Lightgbm);
    }
    if head.starts_with(b"CBM1") {
        formats.push(Format::Catboost);
    }
}

/// Reads a file that is no JSON.
pub(super) fn read(format: Format, source: &dyn Source, head: &[u8], scan: &mut Scan<'_>) -> Parsed<()> {
    match format {
        Format::Xgboost if head.starts_with(b"binf") => binary(source, scan),
        Format::Xgboost if ubjson::recognise(head) => {
            scan.facts.property("architecture", "xgboost");
            ubjson::read(source, scan)
        }
        Format::Lightgbm => lightgbm::read(source, scan),
        Format::Catboost if head.starts_with(b"CBM1") => {
            scan.facts.property("architecture", "catboost");
            let mut cursor = Cursor::at(source, 4);
            let size = cursor.u32_le()?;
            // The core is one flatbuffer, which has less than two gibibytes; its root lies within.
            let root = cursor.u32_le()?;
            if root >= size || size > i32::MAX.cast_unsigned() - 64 {
                scan.find(&OVERRUN, 8, format!("the core of {size} bytes has its root at {root}"));
            }
            cursor.seek(8);
            cursor.skip(u64::from(size))
        }
        _ => Ok(()),
    }
}

/// `binf`, then the parameters, then the names of objective and booster.
fn binary(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    const PARAMETERS: u64 = 136;
    scan.facts.property("architecture", "xgboost");
    let mut cursor = Cursor::at(source, 4);
    cursor.skip(PARAMETERS)?;
    for what in ["objective", "booster"] {
        let at = cursor.position();
        let length = cursor.u64_le()?;
        if length > cursor.left() {
            scan.find(&OVERRUN, at, format!("the name of the {what} is said to have {length} bytes"));
            return Ok(());
        }
        cursor.skip(length)?;
    }
    Ok(())
}

/// Whether this JSON is XGBoost's.
pub(super) fn is_xgboost(root: &Node<'_>) -> bool {
    root.get("learner")
        .is_some_and(|learner| learner.has("gradient_booster") || learner.has("learner_model_param"))
}

/// Whether this JSON is CatBoost's.
pub(super) fn is_catboost(root: &Node<'_>) -> bool {
    (root.has("oblivious_trees") || root.has("trees")) && root.has("features_info")
}

/// Looks through a model of XGBoost in JSON.
pub(super) fn xgboost(root: &Node<'_>, scan: &mut Scan<'_>) {
    let version: Vec<&str> = root
        .get("version")
        .map(Node::list)
        .unwrap_or_default()
        .iter()
        .filter_map(|part| if let Value::Number(part) = part.value { Some(part) } else { None })
        .collect();
    if !version.is_empty() {
        scan.facts.library("xgboost", &version.join("."));
    }
    root.walk(&mut |_, node| {
        let nodes =
            node.get("tree_param").and_then(|param| param.get_text("num_nodes")?.parse::<usize>().ok());
        if let Some(nodes) = nodes {
            tree(node, nodes, scan);
        }
    });
}

/// Numbers of a list that the JSON tree holds in full.
fn numbers(node: Option<&Node<'_>>) -> Vec<i64> {
    let numbers = node.map(Node::list).unwrap_or_default().iter();
    numbers
        .map(|child| if let Value::Number(text) = child.value { text.parse().unwrap_or(-1) } else { -1 })
        .collect()
}

/// Whether a walk from the root comes to a node twice: predictors walk until a leaf, and a circle has none.
fn comes_back(left: &[i64], right: &[i64]) -> bool {
    let mut seen = vec![false; left.len().max(right.len())];
    let mut open = vec![0_usize];
    while let Some(node) = open.pop() {
        match seen.get_mut(node) {
            Some(seen) if !*seen => *seen = true,
            Some(_) => return true,
            None => continue,
        }
        let children = [left.get(node), right.get(node)].into_iter().flatten();
        open.extend(children.filter_map(|child| usize::try_from(*child).ok()));
    }
    false
}

fn tree(tree: &Node<'_>, nodes: usize, scan: &mut Scan<'_>) {
    /// The longest list that the JSON tree holds in full.
    const COMPLETE: usize = 65_536;
    if nodes < COMPLETE
        && comes_back(&numbers(tree.get("left_children")), &numbers(tree.get("right_children")))
    {
        scan.find(
            &OVERRUN,
            tree.offset as u64,
            "the branches of a tree lead back to a node that they come from",
        );
    }
    for key in ["left_children", "right_children", "parents"] {
        let Some(children) = tree.get(key) else { continue };
        let list = children.list();
        if list.len() >= COMPLETE {
            continue;
        }
        let outside = list.iter().any(|child| match child.value {
            // 2^31 - 1 stands for the root's parent.
            Value::Number(number) => number.parse::<i64>().is_ok_and(|child| {
                child >= i64::try_from(nodes).unwrap_or(i64::MAX) && child != i64::from(i32::MAX)
                    || child < -1
            }),
            _ => false,
        });
        if outside || list.len() != nodes && !list.is_empty() {
            scan.find(
                &OVERRUN,
                children.offset as u64,
                format!("`{key}` of a tree leads outside of its {nodes} nodes"),
            );
        }
    }
}

/// Notes that a JSON file is CatBoost's.
pub(super) fn catboost(root: &Node<'_>, scan: &mut Scan<'_>) {
    scan.facts.property("architecture", "catboost");
    if let Some(version) = root.get("model_info").and_then(|info| info.get_text("catboost_version_info")) {
        // `v1.2.7-1-gabc` on a line of its own, then who built it.
        let version = version.lines().next().unwrap_or_default().trim();
        let number = version.trim_start_matches("CatBoost version: ").trim_start_matches('v');
        if number.starts_with(|c: char| c.is_ascii_digit()) {
            scan.facts.library("catboost", number);
        }
        scan.facts.property("version", version);
    }
}

/// A malformed model.
fn malformed(at: u64, what: &str) -> Halt {
    Halt::malformed(at, what)
}

#[cfg(test)]
mod tests;
