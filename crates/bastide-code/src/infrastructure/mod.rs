//! Files that say how models are served: Kubernetes manifests, compose files, Dockerfiles, Terraform.

mod compose;
mod container;
mod dockerfile;
mod hcl;
mod kubernetes;
mod pod;
mod rules;
mod servers;
mod template;
mod terraform;

pub(crate) use rules::RULES;
pub(crate) use servers::exposed_command;

use crate::remark::{Remark, Remarks};
use crate::secrets;
use crate::yaml::Yaml;

/// What an infrastructure file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Manifests of Kubernetes, of its operators, or a template of them.
    Kubernetes,
    /// A compose file of Docker or Podman.
    Compose,
    /// Instructions that build an image.
    Dockerfile,
    /// Terraform or OpenTofu.
    Terraform,
}

/// The longest file that is read, in bytes. Bundles of custom resources have a few MiB.
const LONGEST: usize = 8 << 20;

/// What the infrastructure file `text`, called `name`, does wrong; `None` when it is no infrastructure file.
///
/// Dockerfiles and Terraform are told by their names; YAML by what stands in it.
#[must_use]
pub fn infrastructure(name: &str, text: &str) -> Option<(Kind, Vec<Remark>)> {
    let lower = name.rsplit(['/', '\\']).next().unwrap_or(name).to_ascii_lowercase();
    let mut remarks = Remarks::new(text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text));
    let too_large = text.len() > LONGEST;
    let kind = if is_dockerfile(&lower) {
        Kind::Dockerfile
    } else if lower.ends_with(".tf") || lower.ends_with(".tofu") {
        Kind::Terraform
    } else if lower.ends_with(".yaml") || lower.ends_with(".yml") || lower.ends_with(".tpl") {
        if too_large && !text.get(..text.floor_char_boundary(4096))?.contains("apiVersion:") {
            return None;
        }
        if too_large { Kind::Kubernetes } else { return yaml(&lower, text, remarks) }
    } else {
        return None;
    };
    if too_large {
        remarks.add(&rules::TOO_LARGE, 0, format!("the file has {} bytes, more than {LONGEST}", text.len()));
        return Some((kind, remarks.finish()));
    }
    match kind {
        Kind::Dockerfile => dockerfile::read(text, &mut remarks),
        _ => terraform::read(text, &mut remarks),
    }
    secrets::scan(text, &mut remarks);
    Some((kind, remarks.finish()))
}

fn is_dockerfile(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    matches!(stem, "dockerfile" | "containerfile") && !name.ends_with(".md")
        || name.ends_with(".dockerfile")
        || name.ends_with(".containerfile")
        || name.starts_with("dockerfile-") && !name.contains('.')
}

fn yaml(name: &str, text: &str, mut remarks: Remarks<'_>) -> Option<(Kind, Vec<Remark>)> {
    let looks = text.contains("apiVersion") || text.contains("services") || text.contains("image");
    if !looks {
        return None;
    }
    let templated = text.contains("{{");
    let plain = if templated { template::plain(text) } else { text.into() };
    let mut yaml = Yaml::read(&plain);
    let is_manifest = |yaml: &Yaml| {
        yaml.documents().any(|doc| doc.get("apiVersion").is_some() && doc.get("kind").is_some())
    };
    if templated && !is_manifest(&yaml) {
        // A template that is no manifest, or a manifest that only looks like a template.
        yaml = Yaml::read(text);
    }
    let kind = if is_manifest(&yaml) {
        kubernetes::read(&yaml, &mut remarks);
        Kind::Kubernetes
    } else if yaml.documents().any(|doc| compose::is_compose(doc, name)) {
        yaml.documents()
            .filter(|doc| compose::is_compose(*doc, name))
            .for_each(|doc| compose::read(doc, &mut remarks));
        Kind::Compose
    } else if text.contains("apiVersion:") && text.contains("kind:") {
        Kind::Kubernetes
    } else {
        return None;
    };
    if templated && kind == Kind::Kubernetes && template::is_helm(text) {
        remarks.add(&rules::TEMPLATED, text.find("{{").unwrap_or(0), "its values are filled in elsewhere");
    } else if let Some((fault, line)) = &yaml.fault {
        remarks.add_line(
            &rules::MALFORMED,
            *line,
            format!("it is no YAML from here on: {}", crate::remark::shown(fault)),
        );
    }
    secrets::scan(text, &mut remarks);
    Some((kind, remarks.finish()))
}
