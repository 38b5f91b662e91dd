//! One member of an archive: what is done with it, whatever the archive is.

use bastide_types::{Assessment, Rule, Severity};

use super::bomb::{BOMB, RATIO, Verdict, judge, nested};
use super::expand::{End, Expanded};
use super::kind;
use super::program;
use super::stream::{same, start};
use super::torchscript;
use crate::format::Format;
use crate::halt::Parsed;
use crate::scan::{Scan, shown};
use crate::source::{Source, read_up_to};

/// Code that the server runs by design.
pub(crate) const HANDLER: Rule = Rule {
    id: "mar.handler",
    severity: Severity::Low,
    effect: Assessment::Clean,
    title: "model archive brings its own code",
    why: "TorchServe runs the handler for every request; its source is assessed like any other",
    fix: "read the handler before you serve the model",
    cwe: &[829],
    atlas: &["AML.T0011.000"],
};

/// The archive that a member is in.
pub(crate) struct Container<'a> {
    pub(crate) format: Format,
    pub(crate) source: &'a dyn Source,
}

impl Container<'_> {
    /// Scans a member that stands in the archive as it is.
    pub(crate) fn stored(&self, name: &str, content: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
        if content.size() == 0 {
            return Ok(());
        }
        if same(self.source, content)? {
            scan.find(&BOMB, None, format!("member `{}` is the archive itself, without end", shown(name)));
            return Ok(());
        }
        if kind::is_storage(self.format, name) && !program::is_telling(&start(content)?, content.size()) {
            return Ok(());
        }
        if self.format == Format::TorchServe && name.ends_with(".py") {
            scan.find(&HANDLER, None, format!("`{}`", shown(name)));
        }
        let torchscript = self.format == Format::TorchScript && is_source(name);
        // PyTorch's own interpreter reads this; to Python it would be broken.
        let found = scan.nested_but(torchscript.then_some(Format::Python), name, content);
        if found == Some(Format::Executable) && kind::is_model(self.format) {
            scan.find(
                &program::IN_MODEL,
                None,
                format!("member `{}` of a {} file", shown(name), self.format),
            );
        }
        if torchscript {
            scan.within(name, |scan| torchscript::check(content, scan))?;
        }
        Ok(())
    }

    /// Scans a member that was compressed into `packed` bytes.
    pub(crate) fn expanded(
        &self,
        name: &str,
        content: &Expanded<'_>,
        packed: u64,
        scan: &mut Scan<'_>,
    ) -> Parsed<()> {
        let told = |size| format!("member `{}` makes {size} bytes from {packed}", shown(name));
        if matches!(content.end, End::Bomb) {
            scan.find(&BOMB, None, told(format!("more than {}", content.size())));
            return Ok(());
        }
        if judge(content.size(), packed, &start(content)?, scan) == Verdict::High {
            scan.find(&RATIO, None, told(content.size().to_string()));
        }
        let before = scan.expanded();
        self.stored(name, content, scan)?;
        let inside = scan.expanded().saturating_sub(before);
        if nested(inside, packed) {
            scan.find(
                &BOMB,
                None,
                format!("{}, and archives in it {inside}", told(content.size().to_string())),
            );
        }
        content.ended(&format!("member `{}`", shown(name)))
    }
}

/// TorchScript source: `NAME/code/__torch__.py` and the modules below.
fn is_source(name: &str) -> bool {
    kind::inner(name).starts_with("code/") && name.ends_with(".py")
}

/// The first bytes of a name that may be any bytes, as text.
pub(crate) fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Reads a link's target from its content.
pub(crate) fn target(content: &dyn Source) -> Parsed<String> {
    Ok(text(&read_up_to(content, 0, 4096)?))
}
