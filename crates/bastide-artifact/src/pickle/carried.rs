//! Pickles that other files carry: in texts, as base64 or hexadecimal digits, and anywhere in files of no known format.
//!
//! Stable-Baselines3 keeps what JSON cannot say as base64 of cloudpickle, with the code of small functions; so code alone is not
//! found here, and what reaches out is.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::danger::Family;
use super::found::worst_of;
use super::machine::{Event, Host, Machine, Next, State};
use super::names::{Standing, standing};
use super::plan;
use super::render;
use super::rules;
use super::search::search;
use super::value::Kind;
use super::watch::dotted;
use crate::document::decode;
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::{Part, Source, read_up_to};
use bastide_types::Assessment;

/// The longest text that is decoded: 16 MiB.
const TEXT: usize = 16 << 20;
/// Opcodes of a pickle in a text that are run.
const STEPS: u64 = 1 << 18;
/// How much is searched at either end of a file of no known format: 32 MiB.
const ENDS: u64 = 32 << 20;

/// Judges a text that may be a pickle, in a file of another format.
pub(crate) fn text(text: &str, at: u64, scan: &mut Scan<'_>) -> Parsed<()> {
    let Some(bytes) = decoded(text) else { return Ok(()) };
    scan.expand(bytes.len() as u64)?;
    let mut carried = Carried::default();
    let ended = Machine::new(&bytes, 0).at_most(STEPS).run(&mut carried);
    if let Err(Halt::Unreadable(error)) = ended {
        return Err(Halt::Unreadable(error));
    }
    scan.spend(carried.steps)?;
    if let Some(name) = carried.found.filter(|_| !carried.odd) {
        let message = format!("a text is a pickle that reaches `{}`", shown(&name));
        scan.find_call(&rules::CARRIED, at, message, carried.call);
    }
    Ok(())
}

/// Judges the words of a text file that may be pickles, and the file as a whole, whose lines may be those of one.
pub(crate) fn words(source: &dyn Source, name: &str, scan: &mut Scan<'_>) -> Parsed<()> {
    // What explains an attack shows one.
    let prose = name.rsplit('.').next().is_some_and(|end| matches!(end, "md" | "rst" | "html" | "htm"));
    if prose || source.size() > TEXT as u64 {
        return Ok(());
    }
    let bytes = read_up_to(source, 0, TEXT)?;
    let whole = decode::text(&bytes);
    if bytes.iter().all(|byte| is_digit(*byte) || byte.is_ascii_whitespace()) {
        return text(&whole, 0, scan);
    }
    whole.split(|c: char| !u8::try_from(c).is_ok_and(is_digit)).try_for_each(|word| text(word, 0, scan))
}

/// Searches a file of no known format for pickles that do harm.
pub(crate) fn unknown(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    plan::file(source, scan)?;
    if source.size() <= 2 * ENDS {
        return search(source, 0, scan);
    }
    search(&Part::new(source, 0, ENDS), 0, scan)?;
    search(source, source.size() - ENDS, scan)
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=')
}

/// The bytes that a text stands for, if they begin as pickles do.
fn decoded(text: &str) -> Option<Vec<u8>> {
    const SHORTEST: usize = 16;
    let text = text.trim();
    let text = text.split_once(";base64,").map_or(text, |(_, data)| data);
    if text.len() < SHORTEST || text.len() > TEXT || !begins(text) {
        return None;
    }
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = match digits.iter().all(u8::is_ascii_hexdigit) && digits.len().is_multiple_of(2) {
        true => digits
            .chunks_exact(2)
            .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
            .collect::<Option<Vec<u8>>>()?,
        false => {
            let lax = GeneralPurposeConfig::new()
                .with_decode_padding_mode(DecodePaddingMode::Indifferent)
                .with_decode_allow_trailing_bits(true);
            let alphabet =
                if digits.iter().any(|byte| matches!(byte, b'-' | b'_')) { &URL_SAFE } else { &STANDARD };
            GeneralPurpose::new(alphabet, lax).decode(&digits).ok()?
        }
    };
    Some(bytes)
}

/// Whether base64 or hexadecimal digits may begin a pickle: PROTO, or an import, MARK or container of protocols 0 and 1.
fn begins(text: &str) -> bool {
    const BASE64: [&str; 5] = ["gA", "Y", "KG", "KF", "fX"];
    const HEX: [&str; 6] = ["8002", "8003", "8004", "8005", "63", "28"];
    let hex = || text.get(..4).map(str::to_ascii_lowercase);
    BASE64.iter().any(|start| text.starts_with(start))
        || hex().is_some_and(|head| HEX.iter().any(|start| head.starts_with(start)))
}

/// Hears what a pickle would reach, except for code.
#[derive(Default)]
struct Carried {
    steps: u64,
    found: Option<String>,
    call: String,
    /// Whether an import has a name that cannot be one: the text is something else.
    odd: bool,
}

impl Carried {
    fn note(&mut self, state: &State<'_>, event: &Event<'_>) {
        let (value, called) = match event {
            Event::Import { global } => (*global, false),
            Event::Call(call) if call.callee.kind() == Kind::Global => (call.callee, true),
            _ => return,
        };
        let Some(global) = state.global(value) else { return };
        self.odd |= !dotted(&global.module) || !dotted(&global.name);
        let standing = standing(&global.module, &global.name);
        let code = matches!(standing, Standing::Dangerous(Family::Code));
        if self.found.is_none() && !code && worst_of(standing, called) == Assessment::Malicious {
            self.found = Some(format!("{}.{}", global.module, global.name));
        }
        if let Event::Call(call) = event
            && self.call.is_empty()
            && self.found.is_some()
        {
            self.call = render::call(state, call);
        }
    }
}

impl Host for Carried {
    fn on(&mut self, state: &State<'_>, event: Event<'_>, _offset: u64) -> Parsed<Next> {
        self.note(state, &event);
        Ok(Next::Continue)
    }

    fn spend(&mut self, steps: u64) -> Parsed<()> {
        self.steps += steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn finds(what: &str) -> bool {
        let limits = Limits::default();
        let mut scan = Scan::new(&limits);
        text(what, 0, &mut scan).unwrap();
        scan.found(&rules::CARRIED)
    }

    #[test]
    fn pickles_in_digits_are_judged() {
        // `os.system('echo x')` in protocols 0 and 2.
        assert!(finds("Y29zCnN5c3RlbQooVmVjaG8geAp0Ui4="));
        assert!(finds("gAJjb3MKc3lzdGVtClgGAAAAZWNobyB4hVIu"));
        assert!(finds("Y29zCnN5c3RlbQooVmVj\naG8geAp0Ui4"));
        assert!(finds("636f730a73797374656d0a28566563686f20780a74522e"));
        assert!(finds("data:application/octet-stream;base64,gAJjb3MKc3lzdGVtClgGAAAAZWNobyB4hVIu"));
    }

    #[test]
    fn other_digits_are_not() {
        // `collections.OrderedDict()`, and words that are digits as well.
        assert!(!finds("gAJjY29sbGVjdGlvbnMKT3JkZXJlZERpY3QKKVIu"));
        assert!(!finds("YesThisIsOneLongWordOfLetters"));
        assert!(!finds("8002deadbeefdeadbeefdeadbeef"));
    }
}
