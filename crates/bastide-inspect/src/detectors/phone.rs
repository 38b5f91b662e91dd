//! Telephone numbers.

use std::cell::LazyCell;

use bastide_types::{Category, Severity, Span};

use super::digits::{Groups, Run, continues_from, continues_into};
use super::rule::{Rule, part, pattern};
use crate::context::{Near, Vocabulary};
use crate::validators::{calling_code, is_nanp};
use crate::{Candidate, Match};

#[rustfmt::skip]
const WORDS: Vocabulary = Vocabulary {
    own: &[
        "phone", "phones", "phone number", "telephone", "tel", "telno", "mobile", "mob", "cell", "cellphone", "fax", "call",
        "calls", "called", "calling", "dial", "ring", "text", "texted", "sms", "whatsapp", "signal", "voicemail", "hotline",
        "helpline", "landline", "reach", "reached", "contact", "callback", "ph", "msisdn", "caller", "telefon",
        "telefonnummer", "rufnummer", "handy", "handynummer", "mobil", "mobilnummer", "anrufen", "ruf", "erreichbar",
        "erreichen", "ansprechpartner", "durchwahl", "téléphone", "tél", "portable", "joignable", "appeler", "appelez",
        "appelle", "numéro de téléphone", "teléfono", "telefono", "móvil", "movil", "celular", "llamar", "llame",
        "llámame", "llama", "contacto", "cellulare", "chiamare", "chiama", "chiamami", "recapito", "telefone", "telemóvel",
        "ligar", "ligue", "telefoon", "telefoonnummer", "mobiel", "bel", "bellen", "bereikbaar", "komórka", "komórkowy",
        "zadzwoń", "kontakt", "kontakta", "telefonu", "numer telefonu", "ringa", "mobilen", "puhelin", "soita", "cep",
        "arayın", "ara", "telefonní", "mobilní", "τηλέφωνο", "κινητό", "телефон", "тел", "моб", "звоните", "позвоните",
        "номер телефона", "هاتف", "جوال", "اتصل", "फ़ोन", "मोबाइल", "電話", "携帯", "电话", "手机", "手機", "전화", "휴대폰",
        "연락처", "โทร",
    ],
    rivals: &[
        "order", "invoice", "tracking", "track", "ssn", "social security", "itin", "passport", "card", "account", "iban",
        "routing", "isbn", "ean", "imei", "serial", "part", "part number", "sku", "ticket", "version", "release", "build",
        "commit", "reference", "nhs", "nhs number", "npi", "dea", "mrn", "medicare", "aadhaar", "pan", "pesel", "cpf", "cnpj",
        "nif", "nie", "dni", "bsn", "abn", "acn", "tfn", "sin", "vat", "tax id", "taxid", "tax", "uid", "uuid", "hash",
        "personnummer", "samordningsnummer", "fødselsnummer", "cpr", "cpr nummer", "hetu", "henkilötunnus", "oib", "egn", "rrn",
        "hkid", "nric", "sécurité sociale", "sociale", "nir", "codice fiscale", "curp", "rut", "cuil", "cuit", "steuer id",
        "steuernummer", "identity", "identity number", "identification", "personalausweis", "dowód", "nip", "regon", "vin",
        "mac", "swift", "bic", "medical", "member", "policy", "case", "device", "port", "pid", "date", "dob", "birth", "born", "timestamp", "ip", "license", "licence", "zip", "amount", "total",
        "price", "usd", "eur", "id",
    ],
};

/// What may stand between two digits of a telephone number.
const GAP: &str = r"(?:[ .()/-]|\xC2\xA0|\xE2\x80[\x87\x90-\x94\xAF])";

/// An extension: `ext. 12`, `x12`, `#12`.
const EXTENSION: &str = r"(?:[ .,]?(?:(?:ext|Ext|EXT)(?:ension)?|x|#)[ .:]?[ .]?[0-9]+)?";

/// Fifteen digits (E.164), a separator of up to three bytes for every second, and the extension.
const MAX_SPAN: usize = 48;

pub(super) fn international() -> Rule {
    Rule {
        id: "personal.phone.international",
        category: Category::PhoneNumber,
        severity: Severity::Medium,
        pattern: pattern(format!(r"\+\(?[1-9](?:{GAP}?{GAP}?[0-9])+{EXTENSION}\b"), MAX_SPAN, 2),
        check: check_international,
    }
}

pub(super) fn national() -> Rule {
    Rule {
        id: "personal.phone.national",
        category: Category::PhoneNumber,
        severity: Severity::Medium,
        pattern: pattern(
            format!(r"(?:\b{{start-half}}\([0-9]|\b[0-9])(?:{GAP}?{GAP}?[0-9])+{EXTENSION}\b"),
            MAX_SPAN,
            2,
        ),
        check: check_national,
    }
}

/// The candidate without its extension, and where the extension begins.
fn split_extension(bytes: &[u8]) -> (&[u8], bool) {
    let at = bytes.iter().position(|b| b.is_ascii_alphabetic() || *b == b'#').unwrap_or(bytes.len());
    let number = bytes.get(..at).unwrap_or(bytes);
    let end = number.iter().rposition(u8::is_ascii_digit).map_or(0, |e| e + 1);
    (number.get(..end).unwrap_or_default(), at < bytes.len())
}

fn check_international(candidate: &Candidate<'_>) -> Option<Match> {
    // `a+12345678` is arithmetic, `UTC+10000000` a shift.
    if candidate.before.last().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let (number, extension) = split_extension(candidate.bytes);
    // `+44 (0)20`: the trunk prefix is written for those who dial from inside.
    let trunk = number.windows(3).position(|w| w == b"(0)");
    let groups = Groups::of_digits(number);
    let total = groups.groups.len();
    let found = groups.runs().filter(|r| r.first == 0).find_map(|run| {
        let mut digits = run.digits.to_vec();
        if let Some(at) = trunk.filter(|at| *at < run.span.end) {
            let zero = number.iter().take(at).filter(|b| b.is_ascii_digit()).count();
            digits.remove(zero.min(digits.len().saturating_sub(1)));
        }
        let cut = run.len() == total && !extension && continues_into(candidate.after);
        (!cut && run.detached(number) && (7..=15).contains(&digits.len()))
            .then(|| calling_code(&digits))
            .flatten()
            .map(|code| (run, code))
    });
    let (run, code) = found?;
    let end = if run.whole { candidate.bytes.len() } else { run.span.end };
    match WORDS.nearest(candidate) {
        Near::Own(word) => part(
            Span::new(0, end),
            950,
            format!("calling code +{code} and its length hold, `{word}` stands before"),
        ),
        _ => part(Span::new(0, end), 800, format!("calling code +{code} and its length hold")),
    }
}

/// How a national number is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Nothing but a telephone number looks like this.
    Unmistakable(&'static str),
    /// Telephone numbers look like this, other numbers too.
    Usual(&'static str),
    /// Digits.
    Loose,
}

fn check_national(candidate: &Candidate<'_>) -> Option<Match> {
    // After a plus sign it is an international number or none.
    if candidate.before.last() == Some(&b'+') || continues_from(candidate.before) {
        return None;
    }
    let (number, extension) = split_extension(candidate.bytes);
    let groups = Groups::of_digits(number);
    let total = groups.groups.len();
    if groups.digits.len() < 7 {
        return None;
    }
    // Looked up only for what is written like a telephone number.
    let near = LazyCell::new(|| WORDS.nearest(candidate));
    let tail = matches!(candidate.before, [.., b'0'..=b'9', b' ']);
    let score = |form: Form| match (form, *near) {
        (Form::Unmistakable(_), Near::Own(_)) => 900,
        (Form::Usual(_), Near::Own(_)) => 800,
        (Form::Loose, Near::Own(_)) => 600,
        (Form::Unmistakable(_), Near::Nothing | Near::Distant(_)) => 700,
        (Form::Unmistakable(_), Near::Rival(_)) => 450,
        (Form::Usual(_), Near::Distant(_)) => 600,
        // Only telephone numbers have extensions.
        (Form::Usual(_), _) | (Form::Loose, Near::Nothing | Near::Distant(_)) if extension => 650,
        (Form::Usual(_), Near::Nothing) => 400,
        (Form::Usual(_), Near::Rival(_)) | (Form::Loose, _) => 0,
    };
    let (run, form) = groups.runs().find_map(|run| {
        // The cheapest first: single digits with spaces between have hundreds of runs.
        if !(7..=15).contains(&run.digits.len()) {
            return None;
        }
        let form = form(&run, number)?;
        let cut = run.first + run.len() == total && !extension && continues_into(candidate.after);
        if cut || !run.detached(number) || looks_like_other(&run, number) {
            return None;
        }
        // Loose digits are judged as a whole: a part of a longer number (a card) always fits some plan.
        let apart = match form {
            Form::Unmistakable(_) => true,
            Form::Usual(_) => (run.whole && !tail) || matches!(*near, Near::Own(_) | Near::Distant(_)),
            Form::Loose => run.whole && !tail,
        };
        (apart && score(form) > 0).then_some((run, form))
    })?;
    // An opening bracket belongs to its number.
    let start =
        run.span.start - usize::from(run.span.start > 0 && number.get(run.span.start - 1) == Some(&b'('));
    let end = if run.first + run.len() == total { candidate.bytes.len() } else { run.span.end };
    let span = Span::new(start, end);
    let how = match form {
        Form::Unmistakable(how) | Form::Usual(how) => how,
        Form::Loose => "digits",
    };
    match *near {
        Near::Own(word) => part(span, score(form), format!("written as {how}, `{word}` stands before")),
        _ => part(span, score(form), format!("written as {how}")),
    }
}

/// The form of the run, `None` where no telephone number is written so.
fn form(run: &Run<'_>, number: &[u8]) -> Option<Form> {
    use Form::{Loose, Unmistakable, Usual};
    let opens = |at: usize| at > 0 && number.get(at - 1) == Some(&b'(');
    let bracket = opens(run.span.start) && number.get(run.span.start..run.span.end)?.contains(&b')');
    let digits = run.digits;
    let trunk = digits.first() == Some(&0);
    let nanp =
        is_nanp(digits) || (digits.len() == 11 && digits.first() == Some(&1) && is_nanp(digits.get(1..)?));
    // No other form has more groups.
    if run.len() > 5 && !bracket && !nanp && !digits.starts_with(&[0, 0]) {
        return None;
    }
    let gaps: Vec<&[u8]> = run.gaps(number).collect();
    let one_kind =
        |kinds: &[u8]| gaps.iter().all(|g| g.len() == 1 && kinds.contains(g.first().unwrap_or(&0)));
    let even = run.evenly_written(number) && gaps.iter().all(|g| g.len() <= 3);
    if bracket {
        return match digits.len() {
            10 if nanp && run.is(&[3, 3, 4]) => Some(Unmistakable("US and Canada do, area code in brackets")),
            10 if run.is(&[2, 4, 4]) && digits.first() > Some(&0) => Some(Unmistakable("Brazil does")),
            11 if run.is(&[2, 5, 4]) && digits.get(2) == Some(&9) => Some(Unmistakable("Brazil does")),
            9..=12 if trunk => Some(Unmistakable("area code in brackets with trunk prefix")),
            7..=11 => Some(Loose),
            _ => None,
        };
    }
    // Brackets that do not open the number would be a second thing.
    if number.get(run.span.start..run.span.end)?.iter().any(|b| matches!(b, b'(' | b')')) {
        return None;
    }
    if nanp && one_kind(b"-.") && even && (run.is(&[3, 3, 4]) || run.is(&[1, 3, 3, 4])) {
        return Some(Unmistakable("US and Canada do"))
            .filter(|_| !is_nhs(digits))
            .or(Some(Usual("US and Canada do")));
    }
    if trunk && digits.get(1) == Some(&0) && calling_code(digits.get(2..)?).is_some() {
        return Some(Usual("international, with 00"));
    }
    if trunk && digits.get(1) > Some(&0) {
        let pairs = digits.len() == 10 && run.is(&[2, 2, 2, 2, 2]) && even;
        // The area code may be set off with a sign of its own: `070-123 28 81`, `030/12 67 19`.
        let rest_even = gaps.iter().skip(1).all(|g| gaps.get(1) == Some(g));
        let usual = rest_even
            && match run.len() {
                // Six digits in front are a date of birth in Nordic numbers of persons.
                2 if run.sizes().next() == Some(6) => digits.len() == 11 && !begins_with_a_date(digits),
                2 => (8..=12).contains(&digits.len()),
                // 3-2-4 is how social security numbers are written.
                3 => (9..=11).contains(&digits.len()) && !run.is(&[3, 2, 4]),
                4 => (8..=11).contains(&digits.len()) && run.sizes().skip(1).all(|n| (2..=4).contains(&n)),
                _ => false,
            };
        return if pairs {
            Some(Unmistakable("France does, in pairs"))
        } else if usual {
            Some(Usual("national, with trunk prefix"))
        } else {
            (run.len() == 1 && (9..=12).contains(&digits.len()) || run.len() == 5).then_some(Loose)
        };
    }
    if nanp && run.len() >= 3 {
        return Some(Loose);
    }
    // Without a prefix only a word makes it one.
    let grouped = (2..=5).contains(&run.len())
        && run.sizes().all(|n| (2..=6).contains(&n))
        && (7..=11).contains(&digits.len());
    let plain = run.len() == 1 && (9..=11).contains(&digits.len());
    (grouped || plain).then_some(Loose)
}

/// Whether ten digits pass the check of a UK NHS number (mod 11), which is written 3-3-4 as well.
fn is_nhs(digits: &[u8]) -> bool {
    let sum: u32 = digits.iter().take(9).zip((2..=10).rev()).map(|(d, w)| u32::from(*d) * w).sum();
    let check = (11 - sum % 11) % 11;
    digits.len() == 10 && digits.get(9).is_some_and(|d| u32::from(*d) == check)
}

/// Whether the first six digits are a day, a month and a year.
fn begins_with_a_date(digits: &[u8]) -> bool {
    let two = |at: usize| digits.iter().skip(at).take(2).fold(0, |sum, d| sum * 10 + u32::from(*d));
    (1..=31).contains(&two(0)) && (1..=12).contains(&two(2))
}

/// Dates, addresses of the Internet protocol, decimal numbers, ranges of years.
fn looks_like_other(run: &Run<'_>, number: &[u8]) -> bool {
    let value = |i: usize| {
        let skipped: usize = run.sizes().take(i).sum();
        let n = run.sizes().nth(i).unwrap_or(0);
        run.digits
            .iter()
            .skip(skipped)
            .take(n)
            .fold(0u32, |sum, d| sum.saturating_mul(10).saturating_add(u32::from(*d)))
    };
    let year = |v: u32| (1900..=2099).contains(&v);
    let dotted = run.gaps(number).all(|g| g == b".");
    let date = (run.is(&[4, 2, 2]) && year(value(0)) && value(1) <= 12 && value(2) <= 31)
        || (run.is(&[2, 2, 4]) && year(value(2)) && value(0) <= 31 && value(1) <= 31)
        || (run.is(&[4, 4]) && year(value(0)) && year(value(1)));
    let address = run.len() == 4 && dotted && (0..4).all(|i| value(i) <= 255);
    let decimal = run.len() == 2 && dotted;
    let same = run.digits.iter().all(|d| Some(d) == run.digits.first());
    date || address || decimal || same
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::testing::{found, nothing, scored};

    #[test]
    fn international_positives() {
        for (text, value) in [
            ("call +1 415-555-0132 now", "+1 415-555-0132"),
            ("+14155550132", "+14155550132"),
            ("+1.415.555.0132.", "+1.415.555.0132"),
            ("+44 (0)20 7946 0958", "+44 (0)20 7946 0958"),
            ("+44 20 7946 0958 ext. 12", "+44 20 7946 0958 ext. 12"),
            ("+49 (30) 901820", "+49 (30) 901820"),
            ("+33\u{a0}1\u{a0}23\u{a0}45\u{a0}67\u{a0}89", "+33\u{a0}1\u{a0}23\u{a0}45\u{a0}67\u{a0}89"),
            ("+31 6 12504477#390", "+31 6 12504477#390"),
            ("+31612545986,Namibia", "+31612545986"),
            ("+12015571698 2024 items", "+12015571698"),
            ("tel:+34-612-36-29-02", "+34-612-36-29-02"),
        ] {
            assert_eq!(found(&international(), text), [value], "{text}");
        }
    }

    #[test]
    fn international_near_misses() {
        for text in [
            "+1 115 555 0132",
            "a+12345678",
            "+999 1234567",
            "+33 1 23 45 67",
            "1+415555013",
            "+0100",
            "+12 5",
            "C++17",
            "+49 30 9018201234567890",
        ] {
            nothing(&international(), text);
        }
    }

    #[test]
    fn national_positives() {
        for (text, value) in [
            ("(415) 555-0132", "(415) 555-0132"),
            ("x (415).555.0132 y", "(415).555.0132"),
            ("reach me at 415-555-0132.", "415-555-0132"),
            ("tel 0121 234 4956", "0121 234 4956"),
            ("Tel. 030 126719", "030 126719"),
            ("Tel: 030/1267190", "030/1267190"),
            ("phone 06 12 34 42 66 ext. 512", "06 12 34 42 66 ext. 512"),
            ("06 12 34 42 66", "06 12 34 42 66"),
            ("teléfono 612 34 95 01", "612 34 95 01"),
            ("cellulare: 312 345 2787", "312 345 2787"),
            ("(11) 96123-2734", "(11) 96123-2734"),
            ("(02) 1231 8790", "(02) 1231 8790"),
            ("電話 03-1237-7726", "03-1237-7726"),
            ("{\"phone\":\"2015550123\"}", "2015550123"),
            ("call 090-1275-8861 x5", "090-1275-8861 x5"),
            ("telefon 08-17 01 47", "08-17 01 47"),
            ("070-123 28 81", "070-123 28 81"),
            ("512 344 632 x913", "512 344 632 x913"),
            ("dial 0044 20 7946 0958", "0044 20 7946 0958"),
            ("call 0121 234 4956 2 times", "0121 234 4956"),
        ] {
            assert_eq!(found(&national(), text), [value], "{text}");
        }
    }

    #[test]
    fn national_near_misses() {
        for text in [
            "call on 2024-06-02",
            "call me, born 02.06.1987",
            "call 192.168.10.100",
            "phone 4111 1111 1111 1111",
            "order 4155550132",
            "983 196 7127",
            "2015550123",
            "phones sold: 12.345678",
            "tel 550e8400-e29b-41d4",
            "call 1234567890123456",
            "031-79-0000",
            "060664-2075",
            "036.150.164-16",
            "CPR-nummer 060664-2075",
            "phone +31 10 123 7589. we have 72041226341",
            "id,phone\n9274794266",
            "2 85 02 44 528 903 49",
            "version 10.15.7.1234",
        ] {
            nothing(&national(), text);
        }
    }

    #[test]
    fn without_a_word_a_usual_form_does_not_act() {
        assert!(scored(&national(), "0121 234 4956") < 500);
        assert!(scored(&national(), "(415) 555-0132") >= 500);
        assert!(scored(&national(), "phone: 0121 234 4956") >= 800);
    }
}
