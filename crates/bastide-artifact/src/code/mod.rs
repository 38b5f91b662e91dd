//! Source code, infrastructure files and lock files: recognised here, judged by `bastide-code`.

use std::borrow::Cow;

use bastide_code::dependencies::{self, Kind as LockKind};
use bastide_code::{Kind, Remark};
use bastide_types::Rule;

use crate::document::notebook::CodeCell;
use crate::document::{decode, looks_like_text};
use crate::format::{Format, Glance};
use crate::halt::{Halt, Parsed, size};
use crate::scan::Scan;
use crate::source::{Source, read_up_to};
use crate::text::ATTACK;
use crate::text::shell::{self, Attack};

/// What this family looks for: the rules of `bastide-code` are listed beside those of the families.
pub(crate) const RULES: &[&Rule] = &[];

/// What one byte of source code costs of the budget of the file: reading code takes as long as that many steps of the
/// symbolic machine.
const STEPS_PER_BYTE: u64 = 16;

/// The longest infrastructure or lock file that is looked into, in bytes. `bastide-code` has its own limits below.
const LONGEST: usize = 32 << 20;

/// Adds what a tool could take the file for, by its name as tools do.
pub(crate) fn recognise(glance: &Glance<'_>, formats: &mut Vec<Format>) -> Parsed<()> {
    if !looks_like_text(glance.head) {
        return Ok(());
    }
    let head = decode::text(glance.head);
    if let Some(kind) = LockKind::of(glance.name, &head) {
        let requirements = matches!(kind, LockKind::Requirements | LockKind::Project);
        formats.push(if requirements { Format::Requirements } else { Format::Lock });
    } else if may_be_infrastructure(glance) {
        let bytes = read_up_to(glance.source, 0, LONGEST)?;
        formats.extend(
            bastide_code::infrastructure(glance.name, &decode::text(&bytes)).map(|(kind, _)| format_of(kind)),
        );
    }
    Ok(())
}

/// Whether the name allows it, so that other texts are not read for it.
fn may_be_infrastructure(glance: &Glance<'_>) -> bool {
    let name = glance.name.to_ascii_lowercase();
    ["yaml", "yml", "tpl", "tf", "tofu"].iter().any(|extension| glance.named(extension))
        || name.contains("dockerfile")
        || name.contains("containerfile")
}

const fn format_of(kind: Kind) -> Format {
    match kind {
        Kind::Kubernetes => Format::Kubernetes,
        Kind::Compose => Format::Compose,
        Kind::Dockerfile => Format::Dockerfile,
        Kind::Terraform => Format::Terraform,
    }
}

/// Reads the file as `format`, if it is one of this family's.
pub(crate) fn read(
    format: Format,
    source: &dyn Source,
    name: &str,
    scan: &mut Scan<'_>,
) -> Option<Parsed<()>> {
    match format {
        Format::Kubernetes | Format::Compose | Format::Dockerfile | Format::Terraform => {
            Some(infrastructure(source, name, scan))
        }
        Format::Requirements | Format::Lock => Some(lock(source, name, scan)),
        _ => None,
    }
}

/// Judges a file of Python.
///
/// # Errors
///
/// Where it cannot be read, or the scan has no steps left for it.
pub(crate) fn python(source: &dyn Source, name: &str, scan: &mut Scan<'_>) -> Parsed<()> {
    // One byte more than is read tells the reader that there is more.
    let bytes = read_up_to(source, 0, bastide_code::LONGEST_PYTHON + 1)?;
    scan.spend(STEPS_PER_BYTE * bytes.len() as u64)?;
    note(bastide_code::python_file(name, &bytes), scan);
    Ok(())
}

/// Judges Python that stands in another file, at `at`.
///
/// # Errors
///
/// Where the scan has no steps left for it.
pub(crate) fn text(text: &str, at: u64, scan: &mut Scan<'_>) -> Parsed<()> {
    scan.spend(STEPS_PER_BYTE * text.len() as u64)?;
    for remark in bastide_code::python(text) {
        scan.find(remark.rule, at, format!("line {}: {}", remark.line, remark.message));
    }
    Ok(())
}

/// Judges the cells of a notebook, which are one program.
///
/// # Errors
///
/// Where the scan has no steps left for it.
pub(crate) fn cells(cells: &[CodeCell<'_>], scan: &mut Scan<'_>) -> Parsed<()> {
    let sources: Vec<&str> = cells.iter().map(|cell| &*cell.source).collect();
    scan.spend(STEPS_PER_BYTE * sources.iter().map(|source| source.len() as u64).sum::<u64>())?;
    for (cell, remarks) in cells.iter().zip(bastide_code::notebook(&sources)) {
        for remark in remarks {
            let message = format!("cell {}, line {}: {}", cell.number, remark.line, remark.message);
            scan.find(remark.rule, cell.offset, message);
        }
    }
    Ok(())
}

fn infrastructure(source: &dyn Source, name: &str, scan: &mut Scan<'_>) -> Parsed<()> {
    let bytes = text_of(source, scan)?;
    let text = decode::text(&bytes);
    if let Some((kind, remarks)) = bastide_code::infrastructure(name, &text) {
        note(remarks, scan);
        if kind == Kind::Dockerfile {
            image(&text, scan);
        }
    }
    Ok(())
}

/// Commands of an image that attack. Builds that run what they download over a connection that proves the sender are
/// ordinary, and `bastide-code` remarks on them.
fn image(text: &str, scan: &mut Scan<'_>) {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    for line in joined.lines().filter(|line| !line.trim_start().starts_with('#')) {
        // `["sh", "-c", "…"]`
        let words = line.replace("\", \"", " ").replace("\",\"", " ");
        let attack = shell::script(&words);
        let told = !matches!(attack, None | Some(Attack::Installer | Attack::DownloadAndRun))
            || attack == Some(Attack::DownloadAndRun) && line.contains("http://");
        if let Some(attack) = attack.filter(|_| told) {
            scan.find(&ATTACK, 0, format!("the image holds {}", attack.name()));
        }
    }
}

fn lock(source: &dyn Source, name: &str, scan: &mut Scan<'_>) -> Parsed<()> {
    let bytes = text_of(source, scan)?;
    let text: Cow<'_, str> = decode::text(&bytes);
    let Some(kind) = LockKind::of(name, &text) else { return Ok(()) };
    note(dependencies::remarks(kind, &text), scan);
    if kind == LockKind::Requirements && scan.depth() == 0 {
        dependencies::included(&text).iter().for_each(|name| scan.facts.file(name));
    }
    for package in dependencies::packages(kind, &text) {
        if !scan.package(package) {
            return Err(Halt::limit("100000 packages"));
        }
    }
    Ok(())
}

fn text_of(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<Vec<u8>> {
    let bytes = read_up_to(source, 0, LONGEST)?;
    scan.spend(STEPS_PER_BYTE * bytes.len() as u64)?;
    match source.size() > LONGEST as u64 {
        true => Err(Halt::limit(format!("{} for one text", size(LONGEST as u64)))),
        false => Ok(bytes),
    }
}

fn note(remarks: Vec<Remark>, scan: &mut Scan<'_>) {
    for remark in remarks {
        scan.find(remark.rule, remark.offset, format!("line {}: {}", remark.line, remark.message));
    }
}

#[cfg(test)]
mod tests;
