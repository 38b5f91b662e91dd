//! What filters and methods make of texts and lists that are known.

use super::fold::Known;

/// What the filter or method `name` makes of `subject`; nothing where that is not known.
pub(super) fn applied(name: &str, subject: &Known, arguments: &[Known]) -> Option<Known> {
    match (subject, arguments) {
        (Known::Text(text), _) => of_text(name, text, arguments).or_else(|| of_any(name, subject, arguments)),
        (Known::Int(int), []) => match name {
            "string" | "safe" | "escape" | "e" => Known::text(int.to_string()),
            "abs" => Some(Known::Int(int.saturating_abs())),
            "int" | "round" => Some(Known::Int(*int)),
            _ => None,
        },
        (Known::Map(pairs), _) => match name {
            "values" => Some(Known::List(pairs.iter().map(|(_, value)| value.clone()).collect())),
            "get" => subject.entry(arguments.first()?).or_else(|| arguments.get(1).cloned()),
            _ => of_any(name, &Known::List(subject.items()), arguments),
        },
        _ => of_any(name, subject, arguments),
    }
}

fn of_text(name: &str, text: &str, arguments: &[Known]) -> Option<Known> {
    let chars = |at: usize| arguments.get(at).and_then(Known::as_text);
    let made = match (name, arguments) {
        ("replace", [Known::Text(old), Known::Text(new), ..]) if !old.is_empty() => {
            text.replace(old.as_str(), new)
        }
        ("lower" | "casefold", _) => text.to_lowercase(),
        ("upper", _) => text.to_uppercase(),
        ("capitalize", _) => {
            let mut chars = text.chars();
            chars.next().map_or_else(String::new, |first| {
                first.to_uppercase().chain(chars.flat_map(char::to_lowercase)).collect()
            })
        }
        ("swapcase", _) => text
            .chars()
            .map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
            .collect(),
        ("trim" | "strip", []) => text.trim().to_owned(),
        ("trim" | "strip", [Known::Text(chars)]) => text.trim_matches(|c| chars.contains(c)).to_owned(),
        ("lstrip", _) => match chars(0) {
            Some(chars) => text.trim_start_matches(|c| chars.contains(c)).to_owned(),
            None => text.trim_start().to_owned(),
        },
        ("rstrip", _) => match chars(0) {
            Some(chars) => text.trim_end_matches(|c| chars.contains(c)).to_owned(),
            None => text.trim_end().to_owned(),
        },
        ("removeprefix", [Known::Text(start)]) => {
            text.strip_prefix(start.as_str()).unwrap_or(text).to_owned()
        }
        ("removesuffix", [Known::Text(end)]) => text.strip_suffix(end.as_str()).unwrap_or(text).to_owned(),
        ("center" | "ljust" | "rjust" | "zfill", [Known::Int(width), ..]) => {
            padded(name, text, *width, if name == "zfill" { "0" } else { chars(1).unwrap_or(" ") })?
        }
        ("split" | "rsplit", []) => {
            return Some(Known::List(text.split_whitespace().filter_map(Known::text).collect()));
        }
        ("split" | "rsplit", [Known::Text(by), ..]) if !by.is_empty() => {
            return Some(Known::List(text.split(by.as_str()).filter_map(Known::text).collect()));
        }
        ("string" | "safe" | "escape" | "e" | "encode" | "decode" | "forceescape" | "striptags", _) => {
            text.to_owned()
        }
        ("int", _) => return text.trim().parse().ok().map(Known::Int),
        ("reverse", _) => text.chars().rev().collect(),
        ("truncate", _) => truncated(text, arguments)?,
        _ => return None,
    };
    Known::text(made)
}

/// `text|truncate(length, killwords, end, leeway)`.
fn truncated(text: &str, arguments: &[Known]) -> Option<String> {
    let number = |at: usize, default: usize| match arguments.get(at) {
        Some(Known::Int(number)) => usize::try_from(*number).ok(),
        Some(_) => None,
        None => Some(default),
    };
    let (length, leeway) = (number(0, 255)?, number(3, 5)?);
    let end = arguments.get(2).map_or(Some("..."), Known::as_text)?;
    if text.chars().count() <= length.saturating_add(leeway) {
        return Some(text.to_owned());
    }
    let kept: String = text.chars().take(length.saturating_sub(end.chars().count())).collect();
    Some(kept + end)
}

/// `text` in a field of `width` characters.
fn padded(name: &str, text: &str, width: i128, fill: &str) -> Option<String> {
    let missing = usize::try_from(width).ok()?.saturating_sub(text.chars().count());
    if missing > Known::LONGEST {
        return None;
    }
    let (before, after) = match name {
        "ljust" => (0, missing),
        "center" => (missing / 2, missing - missing / 2),
        _ => (missing, 0),
    };
    Some(fill.repeat(before) + text + &fill.repeat(after))
}

fn of_any(name: &str, subject: &Known, arguments: &[Known]) -> Option<Known> {
    match name {
        "join" => joined(subject, arguments.first().and_then(Known::as_text).unwrap_or_default()),
        "sum" => joined(subject, ""),
        "reverse" => Some(Known::List(subject.items().into_iter().rev().collect())),
        "first" | "random" => subject.items().first().cloned(),
        "last" => subject.items().last().cloned(),
        "min" => sorted(subject).first().cloned(),
        "max" => sorted(subject).last().cloned(),
        "sort" => Some(Known::List(sorted(subject))),
        "length" | "count" => Some(Known::Int(i128::try_from(subject.items().len()).ok()?)),
        "list" => Some(Known::List(subject.items())),
        "unique" | "select" | "reject" | "items" | "keys" | "default" | "d" => Some(subject.clone()),
        // `|map('upper')`.
        "map" => {
            let (filter, rest) = arguments.split_first()?;
            let filter = filter.as_text()?;
            subject
                .items()
                .iter()
                .map(|item| applied(filter, item, rest))
                .collect::<Option<_>>()
                .map(Known::List)
        }
        _ => None,
    }
}

fn sorted(subject: &Known) -> Vec<Known> {
    let mut items = subject.items();
    items.sort_by_key(Known::spelled);
    items
}

/// The elements of `items` with `by` between them.
pub(super) fn joined(items: &Known, by: &str) -> Option<Known> {
    if matches!(items, Known::Int(_)) {
        return None;
    }
    let parts: Vec<String> = items.items().iter().map(Known::spelled).collect();
    Known::text(parts.join(by))
}
