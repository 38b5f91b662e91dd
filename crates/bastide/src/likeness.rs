//! Which known name a mistyped one is most like.

/// The known name that is most like this one, where one is like it at all.
pub(crate) fn closest<'n>(given: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let nearest = known.into_iter().min_by_key(|name| distance(name, given))?;
    // Half of the letters changed is another word.
    (distance(nearest, given) * 2 <= given.chars().count().max(3)).then_some(nearest)
}

/// `; is X meant?` where something is like it, else nothing.
pub(crate) fn meant<'n>(given: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    closest(given, known).map(|name| format!("; is `{name}` meant?")).unwrap_or_default()
}

/// How many characters to change, add, leave out, or swap with the next (optimal string alignment).
pub(crate) fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut above: Vec<usize> = (0..=to.len()).collect();
    // Two rows above: where a swap comes from.
    let mut before: Vec<usize> = Vec::new();
    let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
    for (line, a) in from.iter().enumerate() {
        let mut row = vec![line + 1];
        for (column, b) in to.iter().enumerate() {
            let changed = at(&above, column) + usize::from(a != b);
            let mut cost = changed.min(at(&above, column + 1) + 1).min(at(&row, column) + 1);
            let swapped =
                line > 0 && column > 0 && from.get(line - 1) == Some(b) && to.get(column - 1) == Some(a);
            if swapped {
                cost = cost.min(at(&before, column - 1) + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut above, row);
    }
    at(&above, to.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_is_what_it_is_called() {
        for (a, b, apart) in [
            ("", "", 0),
            ("a", "", 1),
            ("kitten", "sitting", 3),
            ("abc", "acb", 1),
            ("kye", "key", 1),
            ("ab", "ba", 1),
        ] {
            assert_eq!((distance(a, b), distance(b, a)), (apart, apart), "{a} {b}");
        }
    }

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["guard", "limits", "listen", "debug"];
        for (given, meant) in [
            ("gaurd", Some("guard")),
            ("debugg", Some("debug")),
            ("limit", Some("limits")),
            ("tls", None),
            ("debgu", Some("debug")),
        ] {
            assert_eq!(closest(given, known), meant, "{given}");
        }
        assert_eq!(meant("lissen", known), "; is `listen` meant?");
        assert_eq!(meant("colour", known), "");
    }
}
