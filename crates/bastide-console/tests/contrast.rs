//! Whether what is shown can be read: the contrast of every pair of colours in use, in both themes, after WCAG 2.2.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::HashMap;

const STYLE: &str = include_str!("../assets/console.css");

/// Text on its ground: at least 4.5 to 1 (success criterion 1.4.3).
const TEXT: &[(&str, &[&str])] = &[
    ("text", &["bg", "side", "panel", "sunken", "hover", "flag-soft", "allow-soft", "block-soft"]),
    ("muted", &["bg", "side", "panel", "sunken", "hover", "flag-soft", "allow-soft", "block-soft"]),
    ("accent", &["bg", "panel", "sunken", "hover", "accent-soft"]),
    ("on-accent", &["accent-fill", "danger-fill"]),
    ("neutral", &["panel", "neutral-soft"]),
    ("allow", &["bg", "panel", "sunken", "allow-soft"]),
    ("flag", &["panel", "flag-soft"]),
    ("tokenise", &["panel", "sunken", "flag-soft", "tokenise-soft"]),
    ("redact", &["panel", "redact-soft"]),
    ("hold", &["panel", "sunken", "hold-soft"]),
    ("block", &["bg", "panel", "sunken", "hover", "block-soft"]),
];

/// Borders of fields, marks and charts on their ground: at least 3 to 1 (1.4.11).
const GRAPHICS: &[(&str, &[&str])] = &[
    ("edge", &["bg", "panel"]),
    ("accent", &["bg", "side", "panel"]),
    ("accent-mark", &["bg", "panel"]),
    ("neutral-mark", &["bg", "panel"]),
    ("allow-mark", &["panel"]),
    ("flag-mark", &["panel"]),
    ("tokenise-mark", &["panel"]),
    ("redact-mark", &["panel"]),
    ("hold-mark", &["bg", "panel"]),
    ("block-mark", &["panel"]),
    ("accent-fill", &["bg", "panel"]),
    ("danger-fill", &["panel"]),
];

fn tokens() -> HashMap<&'static str, [&'static str; 2]> {
    STYLE
        .lines()
        .filter_map(|line| {
            let (name, value) = line.trim().strip_prefix("--")?.split_once(": light-dark(")?;
            let (light, dark) = value.split_once(')')?.0.split_once(", ")?;
            Some((name, [light, dark]))
        })
        .collect()
}

fn luminance(colour: &str) -> f64 {
    let digits = colour.trim_start_matches('#');
    assert_eq!(digits.len(), 6, "`{colour}` is no colour of six digits");
    let channel = |at: usize| {
        let value = f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn faults(pairs: &[(&str, &[&str])], least: f64) -> Vec<String> {
    let tokens = tokens();
    let mut faults = Vec::new();
    for (colour, grounds) in pairs {
        for ground in *grounds {
            for (theme, name) in ["light", "dark"].iter().enumerate() {
                let ratio = contrast(tokens[colour][theme], tokens[ground][theme]);
                if ratio < least {
                    faults.push(format!("{colour} on {ground}, {name}: {ratio:.2}"));
                }
            }
        }
    }
    faults
}

#[test]
fn the_formula_is_that_of_the_guideline() {
    assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
    assert!((contrast("#767676", "#ffffff") - 4.54).abs() < 0.01, "the guideline's own example");
}

#[test]
fn text_can_be_read() {
    assert_eq!(faults(TEXT, 4.5), [""; 0]);
}

#[test]
fn borders_and_marks_can_be_seen() {
    assert_eq!(faults(GRAPHICS, 3.0), [""; 0]);
}

#[test]
fn every_colour_is_a_token_with_both_themes_and_in_a_pair() {
    let (head, rest) = STYLE.split_once("/* Base */").unwrap();
    // The shade behind a dialog is the same in both themes.
    let loose: Vec<_> =
        rest.match_indices('#').map(|(at, _)| &rest[at..at + 5]).filter(|at| *at != "#0008").collect();
    assert_eq!(loose, [""; 0], "colours outside the tokens");
    assert!(head.contains("color-scheme: light dark"));
    // Decoration that says nothing: hairlines, the frame of a labelled button, shadows.
    let free = ["line", "rim", "shade"];
    let named = |name: &str| {
        [TEXT, GRAPHICS]
            .iter()
            .any(|pairs| pairs.iter().any(|(colour, grounds)| *colour == name || grounds.contains(&name)))
    };
    let unchecked: Vec<_> =
        tokens().into_keys().filter(|name| !free.contains(name) && !named(name)).collect();
    assert_eq!(unchecked, [""; 0]);
}

#[test]
fn every_class_that_a_page_uses_for_its_look_is_a_token_that_exists() {
    let used = STYLE.split("var(--").skip(1).filter_map(|rest| rest.split(')').next());
    let missing: Vec<_> = used.filter(|name| !STYLE.contains(&format!("--{name}:"))).collect();
    assert_eq!(missing, [""; 0]);
}
