//! Base scores of CVSS vectors, version 3 (<https://www.first.org/cvss/v3.1/specification-document>, section 7.1), and
//! an estimate for version 4, whose score needs a table of 270 entries.

use bastide_types::Severity;

/// The severity that a vector stands for.
pub(crate) fn severity(vector: &str) -> Option<Severity> {
    if vector.starts_with("CVSS:4") {
        return estimate4(vector);
    }
    let number = || vector.parse::<f64>().ok().filter(|score| (0.0..=10.0).contains(score));
    Some(match score(vector).or_else(number)? {
        s if s >= 9.0 => Severity::Critical,
        s if s >= 7.0 => Severity::High,
        s if s >= 4.0 => Severity::Medium,
        _ => Severity::Low,
    })
}

/// The base score of a vector of version 3; the other versions are not computed.
pub(crate) fn score(vector: &str) -> Option<f64> {
    if vector.starts_with("CVSS:3") { base3(vector) } else { None }
}

fn metric<'v>(vector: &'v str, name: &str) -> Option<&'v str> {
    vector
        .split('/')
        .find_map(|part| part.split_once(':').filter(|(key, _)| *key == name))
        .map(|(_, value)| value)
}

fn base3(vector: &str) -> Option<f64> {
    let changed = metric(vector, "S")? == "C";
    let impact = |name| match metric(vector, name)? {
        "H" => Some(0.56),
        "L" => Some(0.22),
        "N" => Some(0.0),
        _ => None,
    };
    let attack = match metric(vector, "AV")? {
        "N" => 0.85,
        "A" => 0.62,
        "L" => 0.55,
        _ => 0.2,
    };
    let complexity = if metric(vector, "AC")? == "L" { 0.77 } else { 0.44 };
    let privileges = match (metric(vector, "PR")?, changed) {
        ("N", _) => 0.85,
        ("L", false) => 0.62,
        ("L", true) => 0.68,
        (_, false) => 0.27,
        (_, true) => 0.5,
    };
    let interaction = if metric(vector, "UI")? == "N" { 0.85 } else { 0.62 };
    let base = 1.0 - (1.0 - impact("C")?) * (1.0 - impact("I")?) * (1.0 - impact("A")?);
    let impact =
        if changed { 7.52 * (base - 0.029) - 3.25 * f64::powi(base - 0.02, 15) } else { 6.42 * base };
    let exploit = 8.22 * attack * complexity * privileges * interaction;
    if impact <= 0.0 {
        return Some(0.0);
    }
    let sum = if changed { 1.08 * (impact + exploit) } else { impact + exploit };
    // Rounding up to one decimal, guarded against the representation of floats (appendix A of the specification).
    let scaled = (sum.min(10.0) * 100_000.0).round();
    let up = if scaled % 10_000.0 == 0.0 {
        scaled / 100_000.0
    } else {
        ((scaled / 10_000.0).floor() + 1.0) / 10.0
    };
    Some(up)
}

/// By what version 4 asks of the attacker and how much is lost.
fn estimate4(vector: &str) -> Option<Severity> {
    let high = ["VC", "VI", "VA"].iter().filter(|name| metric(vector, name) == Some("H")).count();
    let low = ["VC", "VI", "VA"].iter().filter(|name| metric(vector, name) == Some("L")).count();
    let easy = metric(vector, "AV")? == "N" && metric(vector, "AC")? == "L" && metric(vector, "PR")? == "N";
    let alone = metric(vector, "UI")? == "N" && metric(vector, "AT")? == "N";
    Some(match (high, low) {
        (3 | 2, _) if easy && alone => Severity::Critical,
        (1.., _) if easy || high >= 2 => Severity::High,
        (1.., _) => Severity::Medium,
        (0, 1..) => Severity::Medium,
        _ => Severity::Low,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_of_the_specification() {
        for (vector, score) in [
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8),
            ("CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4),
            ("CVSS:3.0/AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", 7.8),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10.0),
            ("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N", 0.0),
        ] {
            assert!((base3(vector).unwrap() - score).abs() < 1e-9, "{vector}: {:?}", base3(vector));
        }
        assert_eq!(severity("nonsense"), None);
    }
}
