//! No text makes a reader panic, and time grows with the text.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use bastide_code::dependencies::{Database, Ecosystem, Kind, Package, Version, packages, remarks};
use bastide_code::{cell, infrastructure, python};
use proptest::prelude::*;

const NAMES: &[&str] = &[
    "a.yaml",
    "docker-compose.yml",
    "Dockerfile",
    "a.tf",
    "requirements.txt",
    "poetry.lock",
    "Pipfile.lock",
    "yarn.lock",
    "package-lock.json",
    "pnpm-lock.yaml",
    "Cargo.lock",
    "environment.yml",
    "conda-lock.yml",
    "pylock.toml",
];

fn all(text: &str) {
    let _ = (python(text), cell(text));
    for name in NAMES {
        if let Some((_, found)) = infrastructure(name, text) {
            assert!(
                found
                    .iter()
                    .all(|remark| usize::try_from(remark.offset).unwrap() <= text.len() && remark.line >= 1)
            );
        }
        if let Some(kind) = Kind::of(name, text) {
            let _ = (packages(kind, text), remarks(kind, text));
        }
    }
    let _ = Database::default().add(text);
    for ecosystem in [Ecosystem::PyPI, Ecosystem::Npm] {
        let _ = Version::parse(ecosystem, text);
    }
}

/// Pieces of what the readers look for, in any order.
fn broken() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "exec(",
        "base64.b64decode(",
        "\"\\x41",
        "b'\\xff'",
        "f\"{a!r:>{b}}\"",
        "[::-1]",
        "% (1, 2)",
        ".join([",
        ")",
        "]",
        "}",
        "\n",
        "    ",
        "import os as é",
        "from a import *",
        "class A(install):",
        "def f():",
        "return ",
        "lambda x: ",
        "for x in [1, 2]",
        "chr(x)",
        "__import__('os')",
        "getattr(os, 'x')",
        "!curl x | sh",
        "%%bash\n",
        "é",
        "\u{fffc}",
        "apiVersion: v1\n",
        "kind: Pod\n",
        "spec:\n",
        "  containers:\n",
        "  - &a [*a]\n",
        "services: {a: {image: x, ports: [\"1:2\"]}}\n",
        "{{ .Values.x }}",
        "FROM x\n",
        "RUN <<E\n",
        "ENV a=",
        "\\\n",
        "resource \"a\" \"b\" {\n",
        "ingress {",
        "<<EOT\n",
        "/*",
        "*/",
        "[[package]]\n",
        "name = \"a\"\n",
        "version = \"1\"\n",
        "a@npm:b@1:\n",
        "  version \"1\"\n",
        "torch==1.0 ; x \\\n",
        "--hash=",
        "\"\"\"",
        "'",
        "-----BEGIN PRIVATE KEY-----",
        "hf_",
        "sk-",
        "1!2.post3.dev4+a.5",
        "<<: *a\n",
        "\t",
        "\r\n",
        "\0",
    ]);
    prop::collection::vec(parts, 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn no_text_makes_a_reader_panic(text in any::<String>()) {
        all(&text);
    }

    #[test]
    fn no_broken_text_makes_a_reader_panic(text in broken()) {
        all(&text);
    }

    #[test]
    fn versions_are_ordered_the_same_from_both_sides(a in "[0-9]{1,2}(\\.[0-9]){0,3}((a|b|rc|\\.post|\\.dev)[0-9])?", b in "[0-9]{1,2}(\\.[0-9]){0,3}((a|b|rc|\\.post|\\.dev)[0-9])?") {
        let (a, b) = (Version::parse(Ecosystem::PyPI, &a).unwrap(), Version::parse(Ecosystem::PyPI, &b).unwrap());
        prop_assert_eq!(a.partial_cmp(&b), b.partial_cmp(&a).map(std::cmp::Ordering::reverse));
    }
}

/// Texts that make careless readers slow or deep. The limit is far above what linear work takes, and far below what
/// quadratic work would.
#[test]
fn hostile_texts_cost_what_their_length_costs() {
    const UNITS: &[&str] = &[
        "(",
        "[",
        "{",
        "a.b.",
        "f(a)(b)",
        "a+",
        "'",
        "f'{",
        "lambda:",
        "def f():f\nlambda:f.a,",
        "not ",
        "a = a + 'x'\n",
        "x = [x]\n",
        "[(}])if:\n",
        "if a:\n ",
        "- ",
        "- &a [*a]\n",
        "a: ",
        "{a: ",
        "ENV a=\\\n",
        "a {\n",
        "<<",
        "\"",
        "torch \\\n",
        "!a\n",
        "sk-",
        "-----BEGIN ",
        "{{",
        "}",
        "{\"dependencies\": {\"a\": ",
        "chr(1)for x in'aaaa'",
        "curl | ",
        "rm -rf ",
        "os.system('curl a|'",
        "a[::-1]",
        "\n\n",
    ];
    for unit in UNITS {
        let text = unit.repeat((256 << 10) / unit.len());
        let start = std::time::Instant::now();
        all(&text);
        assert!(start.elapsed().as_secs() < 30, "{unit:?} takes {:?}", start.elapsed());
    }
}

#[test]
fn an_empty_version_falls_under_advisories_about_all_versions_only() {
    let mut database = Database::default();
    let advisory = |events: &str| {
        format!(
            r#"{{"id": "X", "affected": [{{"package": {{"ecosystem": "npm", "name": "a"}}, "ranges": [{{"type": "SEMVER", "events": [{events}]}}]}}]}}"#
        )
    };
    database.add(&advisory(r#"{"introduced": "0"}, {"fixed": "1.0.0"}"#)).unwrap();
    assert!(database.matches(&Package::new(Ecosystem::Npm, "a", "", 1)).is_empty());
    assert_eq!(database.matches(&Package::new(Ecosystem::Npm, "a", "1.0.0-rc.1", 1)).len(), 1);
    let mut all = Database::default();
    all.add(&advisory(r#"{"introduced": "0"}"#)).unwrap();
    assert_eq!(all.matches(&Package::new(Ecosystem::Npm, "a", "", 1)).len(), 1);
}

#[test]
fn lock_files_of_every_tool_are_read() {
    for (name, text, expected) in [
        (
            "yarn.lock",
            "# yarn lockfile v1\n\n\"@a/b@^1.0.0\", \"@a/b@^1.1.0\":\n  version \"1.2.3\"\n",
            ("@a/b", "1.2.3"),
        ),
        ("yarn.lock", "__metadata:\n  version: 8\n\n\"x@npm:^1.0.0\":\n  version: 1.0.1\n", ("x", "1.0.1")),
        ("pnpm-lock.yaml", "packages:\n  /@a/b@1.2.3(peer@2.0.0):\n    resolution: {}\n", ("@a/b", "1.2.3")),
        ("pnpm-lock.yaml", "packages:\n  /a/1.2.3_peer@2:\n    dev: true\n", ("a", "1.2.3")),
        (
            "package-lock.json",
            "{\n\t\"packages\": {\n\t\t\"\": {},\n\t\t\"node_modules/a/node_modules/@b/c\": {\"version\": \"1.0.0\"}}}",
            ("@b/c", "1.0.0"),
        ),
        (
            "package-lock.json",
            "{\"lockfileVersion\": 1, \"dependencies\": {\"a\": {\"version\": \"1.0.0\"}}}",
            ("a", "1.0.0"),
        ),
        ("Cargo.lock", "[[package]]\nname = \"serde\"\nversion = \"1.0.0\"\n", ("serde", "1.0.0")),
        (
            "uv.lock",
            "version = 1\n\n[[package]]\nname = \"Foo_Bar\"\nversion = \"1.0\"\n",
            ("foo-bar", "1.0"),
        ),
        ("pylock.toml", "[[packages]]\nname = \"a\"\nversion = \"1\"\n", ("a", "1")),
        ("environment.yml", "dependencies:\n  - conda-forge::numpy=1.26.0=py311\n", ("numpy", "1.26.0")),
        (
            "conda-lock.yml",
            "package:\n- name: numpy\n  version: 1.26.0\n  platform: linux-64\n- name: numpy\n  version: 1.26.0\n  platform: osx\n",
            ("numpy", "1.26.0"),
        ),
        (
            "Pipfile.lock",
            "{\"_meta\": {\"hash\": {}}, \"default\": {\"numpy\": {\"version\": \"==1.26.0\"}}}",
            ("numpy", "1.26.0"),
        ),
    ] {
        let kind = Kind::of(name, text).unwrap();
        let found = packages(kind, text);
        let found: Vec<_> =
            found.iter().map(|package| (package.name.as_str(), package.version.as_str())).collect();
        assert_eq!(found, [expected], "{name}: {text}");
        assert!(remarks(kind, text).is_empty(), "{name}");
    }
}
