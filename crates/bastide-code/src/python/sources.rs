//! Where values come from, and which functions hand on what they are given.

use crate::python::call::Call;
use crate::python::value::{HOLE, Taint, Value};

/// The taint of a name by itself.
pub(crate) fn of_name(path: &str) -> Taint {
    match path {
        "os.environ" | "os.environb" => Taint::SECRET,
        "flask.request" | "bottle.request" => Taint::REQUEST,
        // The folder of the model, or its name where it is downloaded from.
        _ if path.ends_with("name_or_path") => Taint::FOUND,
        _ => Taint::NONE,
    }
}

/// A variable of the environment.
pub(crate) fn variable(name: &str) -> Value {
    let name = name.to_ascii_uppercase();
    let credential =
        ["SECRET", "TOKEN", "PASSWORD", "PASSWD", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY", "CREDENTIAL"]
            .iter()
            .any(|part| name.contains(part));
    match (name.as_str(), credential) {
        ("HOME" | "USERPROFILE", _) => Value::text("~", Taint::NONE),
        (_, true) => Value::path("os.environ[]", Taint::CREDENTIAL),
        _ => Value::path("os.environ[]", Taint::NONE),
    }
}

/// The taint of what a call of `path` returns, whatever it is given.
pub(crate) fn of_call(path: &str) -> Taint {
    let (_, last) = path.rsplit_once('.').unwrap_or(("", path));
    if is_fetch(path) {
        return Taint::NETWORK;
    }
    if is_hub(path) {
        return Taint::HUB.with(Taint::FOUND);
    }
    if decodes(path) {
        return Taint::DECODED;
    }
    if finds(path).is_some() {
        return Taint::FOUND;
    }
    if is_model(path, last) {
        return Taint::MODEL;
    }
    if path.starts_with("huggingface_hub.") && matches!(last, "get_token" | "whoami")
        || path == "keyring.get_password"
    {
        return Taint::CREDENTIAL;
    }
    if matches!(
        path,
        "socket.gethostname"
            | "socket.getfqdn"
            | "getpass.getuser"
            | "os.getlogin"
            | "os.uname"
            | "os.listdir"
            | "platform.node"
            | "platform.uname"
    ) {
        return Taint::IDENTITY;
    }
    if matches!(
        path,
        "input" | "raw_input" | "streamlit.text_input" | "streamlit.chat_input" | "streamlit.text_area"
    ) {
        return Taint::USER;
    }
    Taint::NONE
}

/// The function that downloads a file, makes one for the moment or takes the first that it finds.
pub(crate) fn finds(path: &str) -> Option<&'static str> {
    const FINDERS: &[&str] = &[
        "cached_download",
        "cached_file",
        "cached_path",
        "glob.glob",
        "glob.iglob",
        "hf_hub_download",
        "os.listdir",
        "os.scandir",
        "os.walk",
        "snapshot_download",
        "tempfile.NamedTemporaryFile",
        "tempfile.TemporaryDirectory",
        "tempfile.mkdtemp",
        "tempfile.mkstemp",
        "tempfile.mktemp",
        "Path().glob",
        "Path().iterdir",
        "Path().rglob",
    ];
    FINDERS.iter().find(|finder| path.ends_with(**finder)).copied()
}

/// Whether `path` fetches from the network.
pub(crate) fn is_fetch(path: &str) -> bool {
    const CLIENTS: &[&str] =
        &["requests.", "httpx.", "aiohttp.", "urllib3.", "requests.Session().", "cloudscraper."];
    const VERBS: &[&str] = &["get", "post", "request", "urlopen", "stream"];
    let (_, last) = path.rsplit_once('.').unwrap_or(("", path));
    matches!(path, "urllib.request.urlopen" | "urllib.urlopen")
        || VERBS.contains(&last) && CLIENTS.iter().any(|client| path.starts_with(client))
        || matches!(last, "makefile" | "recv" | "recvfrom") && path.contains("socket")
        || last == "getresponse" && path.starts_with("http.client.")
        || matches!(path, "dns.resolver.resolve" | "dns.resolver.query" | "asyncio.open_connection")
        || path.starts_with("telnetlib.Telnet().read")
        || [".request.recv", ".rfile.read", ".rfile.readline"].iter().any(|end| path.ends_with(end))
}

/// Whether a call sends what it is given.
pub(crate) fn is_sink(call: &Call<'_>) -> bool {
    is_fetch(call.path)
        || matches!(
            call.last(),
            "send" | "sendall" | "sendto" | "sendmail" | "send_message" | "urlopen" | "storbinary"
        )
        || matches!(call.last(), "post" | "put" | "patch" | "request" | "get" | "Request")
            && ["requests", "httpx", "aiohttp", "urllib", "http.client"]
                .iter()
                .any(|client| call.path.starts_with(client))
}

/// Whether a host tells a machine in a cloud its credentials.
pub(crate) fn is_metadata(text: &str) -> bool {
    ["169.254.169.254", "169.254.170.2", "metadata.google.internal", "100.100.100.200"]
        .iter()
        .any(|host| text.contains(host))
}

/// Whether `path` returns the name of a file that a hub of models sent.
fn is_hub(path: &str) -> bool {
    matches!(path.rsplit('.').next(), Some("hf_hub_download" | "cached_download" | "snapshot_download"))
        && (path.starts_with("huggingface_hub.") || path.starts_with("modelscope."))
}

/// Whether `path` undoes an encoding.
fn decodes(path: &str) -> bool {
    path.starts_with("base64.")
        && (path.ends_with("decode") || path.ends_with("decodebytes") || path.ends_with("decodestring"))
        || matches!(
            path,
            "binascii.unhexlify"
                | "binascii.a2b_hex"
                | "binascii.a2b_base64"
                | "zlib.decompress"
                | "gzip.decompress"
                | "bz2.decompress"
                | "lzma.decompress"
                | "codecs.decode"
                | "bytes.fromhex"
                | "bytearray.fromhex"
                | "brotli.decompress"
                | "zstandard.decompress"
                | "marshal.loads"
                | "struct.pack"
                | "int.to_bytes"
        )
        || path.ends_with(".tobytes")
        || path.ends_with(".to_bytes")
        || path.ends_with(".decompress")
            && (path.contains("ecompressobj()") || path.contains("Decompressor()"))
        || matches!(
            path,
            "gzip.GzipFile().read" | "gzip.open().read" | "bz2.BZ2File().read" | "lzma.LZMAFile().read"
        )
        || path.ends_with(".decrypt")
            && (path.contains("Fernet") || path.contains("AES") || path.contains("Cipher"))
}

/// Whether a language model is asked.
fn is_model(path: &str, last: &str) -> bool {
    const ENDS: &[&str] = &[
        ".chat.completions.create",
        ".completions.create",
        ".responses.create",
        ".messages.create",
        ".ChatCompletion.create",
        ".Completion.create",
        ".generate_content",
        ".chat.completions.parse",
    ];
    ENDS.iter().any(|end| path.ends_with(end))
        || matches!(
            path,
            "litellm.completion" | "ollama.chat" | "ollama.generate" | "transformers.pipeline()"
        )
        || matches!(
            last,
            "generate"
                | "invoke"
                | "ainvoke"
                | "predict"
                | "apredict"
                | "predict_messages"
                | "create_completion"
                | "create_chat_completion"
        ) && path.contains('.')
            && !path.starts_with("sklearn")
            && !path.starts_with("xgboost")
            && !path.starts_with("numpy")
            && !path.starts_with("local:")
        || path.starts_with("langchain") && path.ends_with("()")
}

/// Whether a call of `path` hands on what comes in: its receiver's and its arguments' taint.
pub(crate) fn is_transparent(path: &str) -> bool {
    const LASTS: &[&str] = &[
        "decode",
        "encode",
        "batch_decode",
        "strip",
        "lstrip",
        "rstrip",
        "split",
        "splitlines",
        "join",
        "format",
        "replace",
        "read",
        "read_text",
        "read_bytes",
        "readlines",
        "readline",
        "text",
        "content",
        "json",
        "loads",
        "dumps",
        "str",
        "bytes",
        "bytearray",
        "memoryview",
        "repr",
        "dict",
        "list",
        "tuple",
        "sorted",
        "copy",
        "items",
        "keys",
        "values",
        "compile",
        "BytesIO",
        "StringIO",
        "TextIOWrapper",
        "urlencode",
        "quote",
        "quote_plus",
        "b64encode",
        "b64decode",
        "urlsafe_b64encode",
        "hexlify",
        "unhexlify",
        "decompress",
        "compress",
        "fromhex",
        "group",
        "groups",
        "findall",
        "search",
        "match",
        "sub",
        "dedent",
        "removeprefix",
        "removesuffix",
        "pop",
        "getvalue",
        "getbuffer",
        "parse",
        "partition",
        "rpartition",
        "lower",
        "upper",
        "iter_content",
        "iter_lines",
        "getresponse",
        "map",
        "filter",
        "next",
        "iter",
        "reversed",
        "code",
        "model_dump",
        "to_dict",
        "get_text",
        "open",
        "Request",
        "raise_for_status",
        "decrypt",
        "get_content",
        "chain",
        "b85decode",
        "a85decode",
        "b32decode",
        "to_text",
        "to_wire",
        "tobytes",
        "to_bytes",
        "tostring",
        "accept",
        "get_input_tensor_by_name",
        "deserialize_bytes_tensor",
    ];
    let last = path.rsplit('.').next().unwrap_or(path);
    LASTS.contains(&last)
        || ["extract", "parse", "clean", "strip"].iter().any(|part| last.contains(part))
            && !last.contains("args")
}

/// Whether a path of a file names credentials.
pub(crate) fn is_credential_file(path: &str) -> bool {
    const FILES: &[&str] = &[
        ".aws/credentials",
        ".ssh/id_",
        ".netrc",
        ".git-credentials",
        ".kube/config",
        ".docker/config.json",
        ".pypirc",
        "/etc/shadow",
        "/etc/passwd",
        ".bash_history",
        ".zsh_history",
        "/proc/self/environ",
        "wallet.dat",
        "Login Data",
        "logins.json",
        "key4.db",
        ".config/gcloud/",
        "application_default_credentials.json",
        ".azure/accessTokens.json",
        ".gnupg/",
        "id_rsa",
        "id_ed25519",
        "Local State",
        "/Default/Cookies",
        "/Default/Network/Cookies",
        "cookies.sqlite",
        ".electrum/wallets",
        "Exodus/exodus.wallet",
        ".cache/huggingface/token",
        ".huggingface/token",
        ".config/gh/hosts.yml",
    ];
    let path = path.replace('\\', "/");
    FILES.iter().any(|file| path.contains(file)) && !path.ends_with(".pub")
        || path.ends_with("/.ssh")
        || path.ends_with("/.aws")
}

/// Whether writing a file of that path makes something run later.
pub(crate) fn is_startup_file(path: &str) -> bool {
    const FILES: &[&str] = &[
        ".bashrc",
        ".bash_profile",
        ".zshrc",
        ".zprofile",
        "/.profile",
        "/etc/profile",
        "/etc/cron",
        "/var/spool/cron",
        "/etc/rc.local",
        "authorized_keys",
        "/etc/systemd/system/",
        ".config/systemd/user/",
        ".config/autostart/",
        "LaunchAgents/",
        "LaunchDaemons/",
        "Start Menu/Programs/Startup",
        "/etc/ld.so.preload",
        ".ipython/profile_default/startup",
        "/etc/sudoers",
        "/etc/passwd",
        ".git/hooks/",
        ".config/fish/config.fish",
    ];
    let path = path.replace('\\', "/");
    // Build tools write these two into environments of their own.
    let customises = path.ends_with("sitecustomize.py") || path.ends_with("usercustomize.py");
    FILES.iter().any(|file| path.contains(file))
        || customises && path.contains("site-packages")
        || path.ends_with(".pth")
            && (path.contains("site-packages") || path.contains(HOLE) && path.contains("site"))
}
