//! The items of a serialised object, read with a stack of what is still to come: nesting costs no recursion.

use super::stream::Stream;
use super::{BYTECODE, CALL, CAPTURED_PROMISE, EVAL, FUNCTION, OVERRUN, POINTER, PROMISE, TRAILING};
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::text::shell;

/// What is still to be read.
enum Work {
    Item(Place),
    /// So many items.
    Items(u64, Place),
    /// An item of byte code whose type is written before it.
    Code(Place),
    /// So many constants of byte code.
    Constants(u64),
    /// One body of byte code.
    Body,
    /// The number of constants, and then those.
    Counted,
    Leave(Inside),
}

/// What an item is read as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Value,
    /// The function of a call, or its name.
    Head,
}

/// What lies around an item.
#[derive(Clone, Copy)]
enum Inside {
    Environment,
    Closure,
    Language,
}

/// Functions that run commands, fetch, load code or destroy.
const ACTS: &[&str] = &[
    "download.file",
    "dyn.load",
    "install.packages",
    "library.dynam",
    "pipe",
    "shell",
    "shell.exec",
    "socketConnection",
    "source",
    "sys.source",
    "system",
    "system2",
    "unlink",
    "url",
    "file.remove",
    "Sys.setenv",
    "setwd",
    "py_run_string",
    "execve",
    "url.show",
    "browseURL",
    "curl_download",
    "untar",
    "unzip",
    "writeLines",
    "writeBin",
    "cat.file",
    "file.copy",
    "sink",
    "readRenviron",
    "serverSocket",
    "make.socket",
    "write.socket",
];
/// Of those, the ones that honest functions call too, to write what they made.
const COMMON: &[&str] = &[
    "unlink",
    "url",
    "Sys.setenv",
    "setwd",
    "writeLines",
    "writeBin",
    "untar",
    "unzip",
    "file.copy",
    "file.remove",
    "sink",
    "source",
    "sys.source",
];
/// Functions that make code.
const EVALUATES: &[&str] = &[
    "eval",
    "evalq",
    "parse",
    "str2lang",
    "str2expression",
    "unserialize",
    "readRDS",
    "load",
    "delayedAssign",
];

struct Reader<'r, 's, 'l> {
    stream: &'r mut Stream<'s>,
    scan: &'r mut Scan<'l>,
    work: Vec<Work>,
    /// Symbols and other things that later items name by number.
    references: Vec<Option<&'static str>>,
    environments: usize,
    closures: usize,
    language: usize,
}

/// Things that may still be open at once.
const MOST_OPEN: usize = 2_000_000;
const MOST_REFERENCES: usize = 4_000_000;

/// Reads one object.
pub(super) fn read(stream: &mut Stream<'_>, scan: &mut Scan<'_>) -> Parsed<()> {
    let mut reader = Reader {
        stream,
        scan,
        work: vec![Work::Item(Place::Value)],
        references: Vec::new(),
        environments: 0,
        closures: 0,
        language: 0,
    };
    while let Some(work) = reader.next()? {
        reader.scan.spend(1)?;
        if reader.work.len() > MOST_OPEN || reader.references.len() > MOST_REFERENCES {
            return Err(Halt::limit("four million references of an R object"));
        }
        match work {
            Work::Item(place) => {
                let flags = reader.stream.int()?;
                reader.item(flags, place)?;
            }
            Work::Items(0, _) | Work::Constants(0) => {}
            Work::Items(count, place) => {
                reader.work.push(Work::Items(count - 1, place));
                reader.work.push(Work::Item(place));
            }
            Work::Constants(count) => {
                reader.work.push(Work::Constants(count - 1));
                reader.constant()?;
            }
            Work::Code(place) => {
                let kind = reader.stream.int()?;
                reader.code(kind, place)?;
            }
            Work::Body => reader.body(),
            Work::Counted => {
                let constants = reader.stream.length()?;
                reader.work.push(Work::Constants(constants));
            }
            Work::Leave(Inside::Environment) => reader.environments -= 1,
            Work::Leave(Inside::Closure) => reader.closures -= 1,
            Work::Leave(Inside::Language) => reader.language -= 1,
        }
    }
    Ok(())
}

impl Reader<'_, '_, '_> {
    /// What is to be read next. Readers stop after the first object; what follows it counts as well.
    fn next(&mut self) -> Parsed<Option<Work>> {
        if self.work.is_empty() && !self.stream.at_end()? {
            self.scan.find(&TRAILING, self.stream.position(), "something follows the object");
            return Ok(Some(Work::Item(Place::Value)));
        }
        Ok(self.work.pop())
    }

    fn push(&mut self, count: usize) {
        self.work.extend((0..count).map(|_| Work::Item(Place::Value)));
    }

    fn item(&mut self, flags: i32, place: Place) -> Parsed<()> {
        let at = self.stream.position();
        let kind = flags & 0xff;
        let attributes = usize::from(flags & 0x200 != 0);
        let tag = usize::from(flags & 0x400 != 0);
        match kind {
            // Nil, the global, base and empty environments, markers.
            254 | 253 | 252 | 251 | 250 | 242 | 241 | 0 => {}
            255 => {
                let index = match flags >> 8 {
                    0 => self.stream.int()?,
                    index => index,
                };
                let name = usize::try_from(index - 1)
                    .ok()
                    .and_then(|index| self.references.get(index))
                    .copied()
                    .flatten();
                if place == Place::Head {
                    self.called(name, at);
                }
            }
            247..=249 => {
                self.stream.int()?;
                let count = self.stream.length()?;
                self.references.push(None);
                self.work.push(Work::Items(count, Place::Value));
            }
            1 => self.symbol(place)?,
            2 | 17 => self.pair(attributes, tag, place),
            6 => {
                self.language += 1;
                self.work.push(Work::Leave(Inside::Language));
                // The arguments of `base::system` are names as well.
                self.work.push(Work::Item(place));
                self.work.push(Work::Item(Place::Head));
                self.push(attributes + tag);
            }
            3 => {
                self.scan.find(&FUNCTION, at, "the file holds functions");
                self.closures += 1;
                self.work.push(Work::Leave(Inside::Closure));
                self.pair(attributes, tag, Place::Value);
            }
            5 => {
                if self.environments > 0 {
                    self.scan.find(&CAPTURED_PROMISE, at, "an environment holds unevaluated arguments");
                } else {
                    self.scan.find(&PROMISE, at, "the object holds a promise with an expression to run");
                }
                self.language += 1;
                self.work.push(Work::Leave(Inside::Language));
                self.pair(attributes, tag, Place::Value);
            }
            4 => {
                self.stream.int()?;
                self.references.push(None);
                self.environments += 1;
                self.work.push(Work::Leave(Inside::Environment));
                self.push(4);
            }
            22 => {
                self.scan.find(&POINTER, at, "the file holds an external pointer");
                self.references.push(None);
                self.push(2 + attributes);
            }
            23 => {
                self.references.push(None);
                self.push(attributes);
            }
            7 | 8 => {
                let length = self.stream.int()?;
                let name = self.stream.text(length)?;
                let known = known(&name);
                if place == Place::Head || known.is_some_and(|name| !COMMON.contains(&name)) {
                    self.called(known, at);
                }
            }
            9 => {
                let length = self.stream.int()?;
                let text = self.stream.text(length)?;
                self.text(&text, place, at);
                self.push(attributes);
            }
            10 | 13 => self.numbers(4, 1, attributes)?,
            14 => self.numbers(8, 1, attributes)?,
            15 => self.numbers(16, 2, attributes)?,
            24 => {
                let count = self.stream.length()?;
                self.stream.raw(count)?;
                self.push(attributes);
            }
            16 | 19 | 20 => {
                let count = self.stream.length()?;
                self.push(attributes);
                if kind == 20 {
                    self.language += 1;
                    self.work.push(Work::Leave(Inside::Language));
                }
                self.work.push(Work::Items(count, Place::Value));
            }
            25 => self.push(attributes),
            238 => self.push(3),
            21 => {
                // Compiled functions are parts of closures, and of environments that keep promises.
                if self.closures + self.environments == 0 {
                    self.scan.find(&BYTECODE, at, "the object holds byte code outside of any function");
                }
                self.stream.int()?;
                self.push(attributes);
                self.work.push(Work::Body);
            }
            _ => return Err(Halt::malformed(at, format!("type {kind} of an R object"))),
        }
        Ok(())
    }

    fn numbers(&mut self, size: u64, lines: u64, attributes: usize) -> Parsed<()> {
        let at = self.stream.position();
        let count = self.stream.length()?;
        // No machine holds as much: the product with the size of an element is meant to wrap around.
        if count >= 1 << 44 {
            self.scan.find(&OVERRUN, at, format!("a vector is said to have {count} elements"));
        }
        self.stream.numbers(count, size, lines)?;
        self.push(attributes);
        Ok(())
    }

    fn pair(&mut self, attributes: usize, tag: usize, place: Place) {
        self.work.push(Work::Item(place));
        self.work.push(Work::Item(place));
        self.push(attributes + tag);
    }

    /// A symbol is a flag word and its name; what it means depends on where it stands.
    fn symbol(&mut self, place: Place) -> Parsed<()> {
        let at = self.stream.position();
        self.stream.int()?;
        let length = self.stream.int()?;
        let name = self.stream.text(length)?;
        let known = known(&name);
        self.references.push(known);
        if place == Place::Head {
            self.called(known, at);
        }
        Ok(())
    }

    fn called(&mut self, name: Option<&'static str>, at: u64) {
        let Some(name) = name else { return };
        let call = format!("{name}(…)");
        if EVALUATES.contains(&name) {
            if self.closures > 0 {
                self.scan.find_call(&EVAL, at, format!("a function calls `{name}`"), call);
            }
        } else if COMMON.contains(&name) {
            // A fitted model keeps the call that made it: `lm(y ~ x, data = read.csv(url(…)))`.
            self.scan.find_call(&EVAL, at, format!("R code calls `{name}`"), call);
        } else {
            self.scan.find_call(&CALL, at, format!("R code calls `{name}`"), call);
        }
    }

    /// A text within code may be code.
    fn text(&mut self, text: &str, place: Place, at: u64) {
        if place == Place::Head {
            self.called(known(text), at);
        }
        if self.language == 0 && self.closures == 0 || text.len() < 8 {
            return;
        }
        let code = ["system(", "system2(", "download.file(", "shell(", "pipe("]
            .iter()
            .any(|call| text.contains(call));
        if code || shell::attack(text).is_some() {
            self.scan.find(&CALL, at, format!("R code holds the command `{}`", shown(text)));
        }
    }

    /// `ReadBC1` of R: the code, then constants. The code is one vector of numbers; anything else is looked at as well.
    fn body(&mut self) {
        self.work.push(Work::Counted);
        self.work.push(Work::Item(Place::Value));
    }

    fn constant(&mut self) -> Parsed<()> {
        let kind = self.stream.int()?;
        match kind {
            21 => self.work.push(Work::Body),
            _ => self.code(kind, Place::Value)?,
        }
        Ok(())
    }

    /// `ReadBCLang` of R.
    fn code(&mut self, kind: i32, place: Place) -> Parsed<()> {
        let kind = match kind {
            243 => {
                self.stream.int()?;
                return Ok(());
            }
            244 => {
                self.stream.int()?;
                self.stream.int()?
            }
            kind => kind,
        };
        match kind {
            6 | 2 | 240 | 239 => {
                let language = kind == 6 || kind == 240;
                if language {
                    self.language += 1;
                    self.work.push(Work::Leave(Inside::Language));
                }
                self.work.push(Work::Code(if language { place } else { Place::Value }));
                self.work.push(Work::Code(if language { Place::Head } else { Place::Value }));
                self.push(1 + usize::from(kind >= 239));
            }
            // The type stands before the item, which has its own flags.
            _ => self.work.push(Work::Item(place)),
        }
        Ok(())
    }
}

fn known(name: &str) -> Option<&'static str> {
    ACTS.iter().chain(EVALUATES).copied().find(|known| *known == name)
}
