//! Query plans of polars, which its classes keep as their state: a plan may hold Python functions, as pickles, and reading
//! it unpickles them.
//!
//! `LazyFrame.__setstate__` and `Expr.__setstate__` read MessagePack, CBOR or bincode (`polars/lazyframe/frame.py`,
//! `crates/polars-plan/src/dsl/python_dsl/python_udf.rs`), where the bytes of a function may be a list of numbers;
//! `serialize(format="json")` writes them in decimal.

use super::encoded;
use super::judge::Judge;
use super::literal::Literal;
use super::machine::State;
use super::made::class_of;
use super::rules;
use super::search::search;
use super::value::{Kind, Value};
use crate::halt::{Halt, Parsed};
use crate::scan::Scan;
use crate::source::{Part, Source, read_up_to};
use memchr::memmem;

/// The longest plan that is read: 32 MiB.
const MOST: usize = 32 << 20;
/// What serialised plans begin with since polars 1.30.
const MAGIC: &[u8] = b"DSL_VERSION";
/// What stands before the pickle of a function.
const FUNCTION: &[u8] = b"PLPYFN";
/// Parts of a plan that Python runs.
const PYTHON: [&[u8]; 4] = [b"OpaquePython", b"AnonymousFunction", b"PythonScan", b"PythonDataset"];

impl Judge<'_, '_> {
    /// Judges the state of an object that reads it as a plan.
    pub(super) fn note_plan(&mut self, state: &State<'_>, object: Value, with: Value, offset: u64) {
        let Some(class) = class_of(state, object)
            .and_then(|class| state.global(class))
            .filter(|class| reads_plan(&class.module, &class.name))
        else {
            return;
        };
        let message = format!("`{}` reads a query plan, which may run Python", class.name);
        self.scan.find(&rules::PLAN, offset, message);
        let bytes = match state.literal(with) {
            Some(Literal::Bytes { offset, size }) => whole(&Part::new(state.source, offset, size)),
            _ => match encoded::encoded(state, with).filter(|text| text.kind() == Kind::Text) {
                Some(text) => encoded::latin1(state, text, self.scan),
                None => return,
            },
        };
        let judged = bytes.and_then(|bytes| match bytes {
            Some(bytes) => binary(&bytes, offset, self.scan),
            None => Err(Halt::limit("32 MiB of a query plan")),
        });
        if let Err(halt) = judged {
            self.scan.halted(crate::format::Format::Pickle, halt);
        }
    }
}

/// Whether objects of a class take a plan for their state: those of polars, but for data.
fn reads_plan(module: &str, name: &str) -> bool {
    let data = name.ends_with("DataFrame") || name.ends_with("Series");
    let plain = module.starts_with("polars.datatypes") || module.starts_with("polars.schema");
    let class = name.starts_with(char::is_uppercase);
    module.split('.').next() == Some("polars") && class && !data && !plain
}

/// All bytes, unless they are too many.
fn whole(source: &dyn Source) -> Parsed<Option<Vec<u8>>> {
    match source.size() > MOST as u64 {
        true => Ok(None),
        false => read_up_to(source, 0, MOST).map(Some),
    }
}

/// Judges a file that is a plan, or one expression of it.
///
/// # Errors
///
/// As reading and searching say.
pub(crate) fn file(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    const HEAD: usize = 64;
    let head = read_up_to(source, 0, HEAD)?;
    if !head.starts_with(MAGIC) && !has_python(&head) {
        return Ok(());
    }
    match whole(source)? {
        Some(bytes) => binary(&bytes, 0, scan),
        None => Err(Halt::limit("32 MiB of a query plan")),
    }
}

/// Judges a plan in JSON, where bytes are lists of decimal numbers.
///
/// # Errors
///
/// As searching says.
pub(crate) fn json(text: &[u8], scan: &mut Scan<'_>) -> Parsed<()> {
    if !has_protocol(text) {
        return Ok(());
    }
    let bytes = decimal(text);
    // Graphs of other libraries may use the words: a function is told by what stands before its pickle.
    if has_python(text) && memmem::find(&bytes, FUNCTION).is_some() {
        scan.find(&rules::PLAN_FUNCTION, 0, "a query plan holds a Python function");
    }
    look(&bytes, scan)
}

/// Judges a plan in a binary encoding.
fn binary(bytes: &[u8], at: u64, scan: &mut Scan<'_>) -> Parsed<()> {
    scan.expand((bytes.len() as u64).saturating_mul(2))?;
    let holds = memmem::find(bytes, FUNCTION).is_some() || has_python(bytes);
    look(bytes, scan)?;
    let mut function = holds;
    for head in [messagepack as fn(u8) -> Option<usize>, cbor] {
        let narrow = narrowed(bytes, head);
        function = function || memmem::find(&narrow, FUNCTION).is_some();
        look(&narrow, scan)?;
    }
    if function {
        scan.find(&rules::PLAN_FUNCTION, at, "a query plan holds a Python function");
    }
    Ok(())
}

fn look(bytes: &[u8], scan: &mut Scan<'_>) -> Parsed<()> {
    scan.within("query plan", |scan| search(&bytes, 0, scan))
}

/// Whether one of the names stands there as a text of MessagePack, CBOR or JSON does: behind its length or a quotation mark.
fn has_python(bytes: &[u8]) -> bool {
    PYTHON.iter().any(|name| {
        let size = u8::try_from(name.len()).unwrap_or_default();
        memmem::find_iter(bytes, name)
            .filter_map(|at| bytes.get(at.checked_sub(1)?))
            .any(|before| [0xa0 | size, 0x60 | size, b'"'].contains(before))
    })
}

/// Whether the head of a pickle stands there in decimal: `128, 4`.
fn has_protocol(text: &[u8]) -> bool {
    memmem::find_iter(text, b"128").any(|at| {
        let rest = text.get(at + 3..).unwrap_or_default().trim_ascii_start();
        let number = rest.strip_prefix(b",").map(<[u8]>::trim_ascii_start);
        matches!(number, Some([b'0'..=b'5', next, ..]) if !next.is_ascii_digit())
    })
}

/// Bytes of the number behind a head of MessagePack.
fn messagepack(head: u8) -> Option<usize> {
    match head {
        0xcc | 0xd0 => Some(1),
        0xcd | 0xd1 => Some(2),
        0xce | 0xd2 => Some(4),
        0xcf | 0xd3 => Some(8),
        _ => None,
    }
}

/// The same for CBOR.
fn cbor(head: u8) -> Option<usize> {
    (0x18..=0x1b).contains(&head).then(|| 1 << (head & 3))
}

/// The bytes with every number that fits into one in place of its encoding.
fn narrowed(bytes: &[u8], width: fn(u8) -> Option<usize>) -> Vec<u8> {
    let mut narrow = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&head, after)) = rest.split_first() {
        let number = width(head).and_then(|width| after.split_at_checked(width));
        match number.and_then(|(number, after)| Some((number.split_last()?, after))) {
            Some(((&last, zeros), after)) if zeros.iter().all(|byte| *byte == 0) => {
                narrow.push(last);
                rest = after;
            }
            _ => {
                narrow.push(head);
                rest = after;
            }
        }
    }
    narrow
}

/// The numbers of a text that fit into a byte.
fn decimal(text: &[u8]) -> Vec<u8> {
    text.split(|byte| !byte.is_ascii_digit())
        .filter(|digits| !digits.is_empty())
        .filter_map(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use bastide_types::Assessment;

    const SYSTEM: &[u8] = b"\x80\x04\x95\x20\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04echo\x94\x85\x94R\x94.";

    fn verdict(bytes: &[u8], name: &str) -> Assessment {
        crate::scan(&bytes, name, &Limits::default()).assessment()
    }

    /// `polars` object with these bytes for its state.
    fn pickled(class: &str, plan: &[u8]) -> Vec<u8> {
        let (module, name) = class.split_once(':').unwrap();
        let size = u32::try_from(plan.len()).unwrap().to_le_bytes();
        let import = format!("\u{80}\u{4}c{module}\n{name}\n)\u{81}B");
        [literal(&import).as_slice(), &size, plan, b"b."].concat()
    }

    fn literal(text: &str) -> Vec<u8> {
        text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
    }

    /// A plan whose function is `pickle`, each byte as `number` writes it.
    fn plan(name: &str, pickle: &[u8], number: impl Fn(u8) -> Vec<u8>) -> Vec<u8> {
        let numbers: Vec<u8> = pickle.iter().flat_map(|byte| number(*byte)).collect();
        [b"DSL_VERSION\x18\0\0\0\x81".as_slice(), name.as_bytes(), b"\xdc\0\x30", &numbers, b"\xc0"].concat()
    }

    fn fixed(byte: u8) -> Vec<u8> {
        if byte < 0x80 { vec![byte] } else { vec![0xcc, byte] }
    }

    #[test]
    fn functions_in_plans_are_found_however_their_bytes_are_written() {
        let frame = "polars.lazyframe.frame:LazyFrame";
        let wide = |byte: u8| vec![0xce, 0, 0, 0, byte];
        let cbor = |byte: u8| if byte < 0x18 { vec![byte] } else { vec![0x18, byte] };
        for plan in
            [plan("x", SYSTEM, fixed), plan("x", SYSTEM, wide), plan("x", SYSTEM, cbor), SYSTEM.to_vec()]
        {
            assert_eq!(verdict(&pickled(frame, &plan), "x.pkl"), Assessment::Malicious, "{plan:?}");
            assert_eq!(verdict(&pickled("polars._plr:PyLazyFrame", &plan), "x.pkl"), Assessment::Malicious);
        }
        let harmless = b"\x80\x04cbuiltins\nlen\n.";
        for plan in [
            plan("\u{ac}OpaquePython", harmless, fixed),
            [b"\xc4\x20PLPYFN".as_slice(), harmless].concat(),
            literal("\u{ac}OpaquePython"),
            b"\x6cOpaquePython".to_vec(),
        ] {
            let plan = literal_or(plan);
            assert_eq!(verdict(&pickled(frame, &plan), "x.pkl"), Assessment::Malicious, "{plan:?}");
        }
    }

    /// A heading written as text has its length byte in UTF-8.
    fn literal_or(plan: Vec<u8>) -> Vec<u8> {
        match memmem::find(&plan, b"\xc2\xac") {
            Some(at) => [plan.get(..at).unwrap(), plan.get(at + 1..).unwrap()].concat(),
            None => plan,
        }
    }

    #[test]
    fn plans_without_functions_are_for_review_and_data_is_clean() {
        let plan = plan("dsl_plans", b"OpaquePython is a word in a column", fixed);
        let at = |class| verdict(&pickled(class, &plan), "x.pkl");
        assert_eq!(at("polars.lazyframe.frame:LazyFrame"), Assessment::Review);
        assert_eq!(at("polars.expr.expr:Expr"), Assessment::Review);
        assert_eq!(at("polars.dataframe.frame:DataFrame"), Assessment::Clean);
    }

    #[test]
    fn old_protocols_rebuild_the_class_and_write_its_state_as_text() {
        let stream =
            b"ccopy_reg\n_reconstructor\n(cpolars.lazyframe.frame\nLazyFrame\nc__builtin__\nobject\nNtR\
            c_codecs\nencode\n(VDSL_VERSION\x81\xacOpaquePython\nVlatin1\ntRb.";
        assert_eq!(verdict(stream, "x.pkl"), Assessment::Malicious);
    }

    #[test]
    fn plans_in_files_of_their_own_are_judged() {
        let function = [b"PLPYFN".as_slice(), SYSTEM].concat();
        assert_eq!(verdict(&plan("x", &function, fixed), "plan.bin"), Assessment::Malicious);
        let expression =
            [b"\x81\xb1AnonymousFunction\x81\xa8function\xc4\x40".as_slice(), &function].concat();
        assert_eq!(verdict(&expression, "expression.bin"), Assessment::Malicious);
        let json = |function: &[u8]| {
            let numbers: Vec<String> = function.iter().map(u8::to_string).collect();
            format!(r#"{{"AnonymousFunction":{{"function":[{}]}}}}"#, numbers.join(", "))
        };
        assert_eq!(verdict(json(&function).as_bytes(), "plan.json"), Assessment::Malicious);
        assert_eq!(verdict(json(SYSTEM).as_bytes(), "plan.json"), Assessment::Malicious);
        assert_eq!(verdict(json(b"some data").as_bytes(), "plan.json"), Assessment::Clean);
        let others = json(SYSTEM).replace("AnonymousFunction", "fn_params");
        assert_eq!(verdict(others.as_bytes(), "plan.json"), Assessment::Malicious);
    }
}
