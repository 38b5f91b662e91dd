//! Names that people give to keys, projects and organisations.

use crate::error::IdentityError;

const MAX_CHARS: usize = 64;

/// Checks a name: it will stand in tables, logs and policies.
pub(crate) fn check(what: &'static str, name: &str) -> Result<(), IdentityError> {
    flaw(name).map_or(Ok(()), |detail| {
        let shown = name.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect();
        Err(IdentityError::Name { what, name: shown, detail })
    })
}

/// What is wrong with a name, and what to do.
pub(crate) fn flaw(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty; give it 1 to 64 characters");
    }
    if name.chars().nth(MAX_CHARS).is_some() {
        return Some("it has more than 64 characters; shorten it");
    }
    // Control, bidirectional and invisible characters would let one name pass for another.
    if !name.chars().all(|c| c.is_alphanumeric() || " -_.@/:+".contains(c)) {
        return Some("only letters, digits, blanks and `-_.@/:+` are allowed");
    }
    if !name.starts_with(char::is_alphanumeric) || name.ends_with(' ') {
        return Some("it must begin with a letter or digit and not end with a blank");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_people_use_pass_and_deceptive_ones_do_not() {
        for good in
            ["ci", "Müller's team".replace('\'', "").as_str(), "team/search:eu-1", "ada@example.org", "検索"]
        {
            assert!(check("key", good).is_ok(), "{good}");
        }
        let long = "x".repeat(65);
        for bad in
            ["", " ci", "ci ", "-ci", "a\nb", "a\u{202e}b", "a\u{200b}b", "<b>", "`x`", "a\u{e0041}", &long]
        {
            let error = check("key", bad).unwrap_err().to_string();
            assert!(error.starts_with("`") && error.contains("is no name for a key"), "{error}");
        }
    }
}
