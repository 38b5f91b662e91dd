//! `bastide serve`: settings, build, serve, drain.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};

use bastide_admin::{
    Admin, FIXED, Failure, Fixed, Folder, Locked, Node, Origin, Server, chain, could_not, note_sessions,
    note_sessions_while_running, note_settled_while_running, recall_traffic_beside, shell_word,
};
use bastide_api::Api;
use bastide_audit::Bodies;
use bastide_console::Console;
use bastide_crypto::{BulkRandom, SystemRandom};
use bastide_gateway::{
    AuditMode, Catalogue, Certificate, Credential, Door, Gateway, Guard, Parts, PlainHttp, Provider, Surface,
};
use bastide_store::CredentialSource;
use bastide_types::{Event, GuardMode, Secret};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::cli::{DEFAULT_DATA, Serve};
use crate::config::{self, Effective, Said};
use crate::logging::{self, LogLevel};
use crate::running::{InForce, Running};
use crate::{control, environment, notify, signals, tls};

/// One thread per CPU that this process may use; on a single one, without the machinery for several.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut builder = match cpus {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build().map_err(could_not)
}

pub(crate) fn run(args: Serve, said: Said) -> Result<(), Failure> {
    let log_level = logging::begin(args.log_format)?;
    let effective = config::load(&args, &said)?;
    // The port first: a busy one is the commonest mistake, and must not touch the folder.
    let listeners = Listeners {
        gateway: bind(effective.settings.listen, "--listen")?,
        admin: effective.admin_listen.map(|address| bind(address, "--admin-listen")).transpose()?,
    };
    let folder = match Folder::take(&args.data.dir, args.data.passphrase_file.as_deref())? {
        Locked::Mine(folder) => folder,
        Locked::Theirs => {
            return Err(Failure::could_not(format!(
                "another bastide serves `{}`; stop it, or give this one a folder of its own with `--data DIR`",
                args.data.dir.display()
            )));
        }
    };
    let certificate = effective.tls.as_ref().map(tls::read).transpose()?;
    let runtime = runtime()?;
    let mut node = Node::open(folder)?;
    attach_providers(&mut node, &args, &effective)?;
    environment::warn_of_unknown(&variables(&node, &args)?);
    node.reconcile()?;
    node.bootstrap()?;
    let effective = config::overlay(effective, &node.store)?;
    if let Some(displaced) = config::displaced(&effective, &node.store)? {
        tracing::warn!(guard = %displaced, "a guard that was stored does not hold");
    }
    runtime.block_on(serve(Told { args, said, effective, certificate, log_level }, node, listeners))
}

/// Where connections arrive.
struct Listeners {
    gateway: std::net::TcpListener,
    /// For console and management API, where they have one of their own.
    admin: Option<std::net::TcpListener>,
}

/// What the server was told, read and checked.
struct Told {
    args: Serve,
    said: Said,
    effective: Effective,
    certificate: Option<tls::Read>,
    log_level: LogLevel,
}

async fn serve(told: Told, node: Node, listeners: Listeners) -> Result<(), Failure> {
    let settings = told.effective.settings.clone();
    let config = told.effective.digest();
    let guard_said_by = config::said_by(&told.effective.explained).cloned();
    let demo_key = node.demo_provider.is_some().then(|| node.demo_key()).transpose()?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let started = Event::Started { at: node.clock.now(), version, config };
    node.log.record(started).await.map_err(could_not)?;
    let guard = Guard::new(settings.guard, settings.profile.clone(), settings.limits.guard_time)
        .map_err(could_not)?;
    let listen = listeners.gateway.local_addr().map_err(could_not)?;
    let admin_listen =
        listeners.admin.as_ref().map(std::net::TcpListener::local_addr).transpose().map_err(could_not)?;
    let options = told.effective.bodies.options(node.dir().join("bodies"));
    let bodies = Bodies::open(options, Arc::clone(&node.clock)).map_err(could_not)?;
    let node = Arc::new(node);
    let gateway = Arc::new(
        Gateway::new(Parts {
            settings: settings.clone(),
            identity: Arc::clone(&node.identity),
            policies: Arc::new(node.policies()?),
            catalogue: Arc::new(node.catalogue()?),
            guard: Arc::new(guard),
            log: node.log.clone(),
            bodies: bodies.clone(),
            subjects: Arc::clone(&node.subjects),
            root: Arc::clone(&node.root),
            clock: Arc::clone(&node.clock),
            // Ids of exchanges and spans, which are no secrets.
            random: Arc::new(BulkRandom::new(SystemRandom)),
        })
        .map_err(could_not)?,
    );
    bastide_admin::restore_usage(&node, &gateway);
    let saving =
        tokio::spawn(bastide_admin::save_usage_while_running(Arc::clone(&node), Arc::clone(&gateway)));
    let admin = Arc::new(Admin::new(Arc::clone(&node), Some(Arc::clone(&gateway))));
    let shown = told.certificate.as_ref().map(|read| Arc::new(Certificate::new(Arc::clone(&read.config))));
    let running = Arc::new(Running {
        admin: Arc::clone(&admin),
        gateway: Arc::clone(&gateway),
        certificate: shown.clone(),
        log_level: told.log_level,
        args: told.args,
        said: told.said,
        in_force: Mutex::new(InForce {
            effective: told.effective,
            certificate: told.certificate.map(|read| read.digest),
        }),
    });
    let control = control::listen(Arc::clone(&running), node.dir())?;
    let (stop, stopping) = watch::channel(false);
    let server: Arc<dyn Server> = Arc::clone(&running) as _;
    let api: Arc<dyn Surface> = Arc::new(Api::new(Arc::clone(&admin), Arc::clone(&server)));
    let console: Arc<dyn Surface> = Arc::new(Console::new(Arc::clone(&admin), server, stopping.clone()));
    let recalling = recall_traffic_beside(&node, &gateway);
    let seeing = tokio::spawn(note_sessions_while_running(Arc::clone(&node)));
    let settling = tokio::spawn(note_settled_while_running(Arc::clone(&admin)));
    tokio::spawn(signals::wait(running, stop));

    let scheme = if shown.is_some() { "https" } else { "http" };
    let setup = node.accounts.new_setup_code();
    let places = Places { scheme, listen, admin_listen };
    let (catalogue, said) = (gateway.catalogue(), guard_said_by.as_ref());
    greet(&node, &catalogue, &settings, &places, said, demo_key.as_ref(), setup.as_ref())?;
    let doors = doors(listeners, shown, vec![console, api])?;
    notify::ready();
    bastide_gateway::serve(Arc::clone(&gateway), doors, stopping).await.map_err(could_not)?;

    let whole = control.stop().await;
    saving.abort();
    seeing.abort();
    settling.abort();
    recalling.abort();
    note_sessions(&node);
    bastide_admin::save_usage(&node, &gateway);
    let log = node.log.clone();
    if whole {
        log.record(Event::Stopped { at: node.clock.now() }).await.map_err(could_not)?;
    } else {
        // The next start looks for changes without an outcome only where the log does not say that all was in order.
        tracing::warn!("the log lacks the outcome of a change; the next start records it");
    }
    drop(gateway);
    bodies.close();
    log.close().map_err(could_not)?;
    tracing::info!("stopped");
    Ok(())
}

/// The gateway's door, and one for administrators where they have one of their own.
fn doors(
    listeners: Listeners,
    tls: Option<Arc<Certificate>>,
    surfaces: Vec<Arc<dyn Surface>>,
) -> Result<Vec<Door>, Failure> {
    let listener = TcpListener::from_std(listeners.gateway).map_err(could_not)?;
    let Some(admin) = listeners.admin else {
        return Ok(vec![Door { listener, tls, data_plane: true, surfaces }]);
    };
    let admin = TcpListener::from_std(admin).map_err(could_not)?;
    Ok(vec![
        Door { listener, tls: tls.clone(), data_plane: true, surfaces: Vec::new() },
        Door { listener: admin, tls, data_plane: false, surfaces },
    ])
}

fn bind(address: SocketAddr, flag: &str) -> Result<std::net::TcpListener, Failure> {
    let listener = std::net::TcpListener::bind(address).map_err(|e| {
        let remedy = match e.kind() {
            std::io::ErrorKind::AddrInUse => {
                // Port 0 lets the system choose.
                let other = SocketAddr::new(address.ip(), address.port().checked_add(1).unwrap_or(0));
                format!("; something listens there already: choose another port with `{flag} {other}`")
            }
            std::io::ErrorKind::PermissionDenied => {
                format!("; ports below 1024 are for root: choose a higher one with `{flag}`")
            }
            std::io::ErrorKind::AddrNotAvailable => "; this machine has no such address".to_owned(),
            _ => String::new(),
        };
        Failure::could_not(format!("cannot listen on `{address}`: {e}{remedy}"))
    })?;
    listener.set_nonblocking(true).map_err(could_not)?;
    Ok(listener)
}

/// The provider of `--upstream`, where it is given.
pub(crate) fn fixed_provider(args: &Serve) -> Result<Option<Fixed>, Failure> {
    let Some(url) = &args.upstream else { return Ok(None) };
    let credential = match &args.upstream_key_env {
        None => None,
        Some(name) => {
            let value = std::env::var(name)
                .map_err(|_| Failure::could_not(format!("the environment variable `{name}` is not set")))?;
            if value.trim().is_empty() {
                return Err(Failure::could_not(format!("the environment variable `{name}` is empty")));
            }
            Some(Credential::bearer(&Secret::new(value)).map_err(could_not)?)
        }
    };
    let plain = match args.upstream_plain_http {
        true => PlainHttp::Anywhere,
        false => PlainHttp::LoopbackOnly("--upstream-plain-http"),
    };
    let provider = Provider::new(FIXED, url, credential, None, plain);
    Ok(Some(Fixed {
        provider: Arc::new(provider.map_err(|e| Failure::usage(chain(&e)))?),
        base_url: url.clone(),
        credential: args.upstream_key_env.as_ref().map_or("none".to_owned(), |name| format!("env:{name}")),
    }))
}

fn attach_providers(node: &mut Node, args: &Serve, effective: &Effective) -> Result<(), Failure> {
    node.fixed_provider = fixed_provider(args)?;
    let none = node.fixed_provider.is_none() && node.store.providers().map_err(could_not)?.is_empty();
    if none && effective.settings.listen.ip().is_loopback() {
        node.demo_provider = Some(Arc::new(Provider::demo()));
    }
    Ok(())
}

/// Where the server answers.
struct Places {
    scheme: &'static str,
    listen: SocketAddr,
    admin_listen: Option<SocketAddr>,
}

impl Places {
    /// As it stands in a URL.
    fn shown(address: SocketAddr) -> String {
        match address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
            true => format!("localhost:{}", address.port()),
            false => address.to_string(),
        }
    }
}

/// What the operator sees first. To standard output, once; the server's own log goes to standard error.
fn greet(
    node: &Node,
    catalogue: &Catalogue,
    settings: &bastide_gateway::Settings,
    places: &Places,
    guard_said_by: Option<&Origin>,
    demo_key: Option<&Secret<String>>,
    setup: Option<&Secret<String>>,
) -> Result<(), Failure> {
    let scheme = places.scheme;
    let shown = Places::shown(places.listen);
    let console = Places::shown(places.admin_listen.unwrap_or(places.listen));
    // What is printed to be run runs as it is.
    let data = match node.dir() {
        dir if dir == Path::new(DEFAULT_DATA) => String::new(),
        dir => format!(" --data {}", shell_word(dir)),
    };
    let mut text = format!(
        "bastide {}   gateway {scheme}://{shown}/v1   guard {}   audit {}   data {}\n",
        env!("CARGO_PKG_VERSION"),
        settings.guard,
        match settings.audit {
            AuditMode::Strict => "strict",
            AuditMode::Relaxed => "relaxed",
        },
        node.dir().display(),
    );
    if node.fresh {
        text.push_str(
            "first start     keys, records and log were made in the data folder; back up its `keys`\n",
        );
    }
    text.push_str(&match setup {
        None => format!("console         {scheme}://{console}/console\n"),
        Some(code) => format!(
            "console         open {scheme}://{console}/console/setup and enter the code {} (once, within 15 minutes)\n",
            code.expose()
        ),
    });
    if let Some(key) = demo_key {
        let key = key.expose();
        text.push_str(&format!(
            "demo model      no provider is configured, so a built-in demo answers on this machine, to the key below only\n\
             try it          curl -si {scheme}://{shown}/v1/chat/completions -H 'authorization: Bearer {key}' \\\n  \
             -d '{{\"model\":\"demo\",\"messages\":[{{\"role\":\"user\",\"content\":\"my card is 4111 1111 1111 1111\"}}]}}'\n\
             add a provider  bastide provider add openai --key-env OPENAI_API_KEY{data} && bastide key create my-app{data}\n"
        ));
    } else {
        let named = catalogue.providers().iter().map(|p| match p.unusable_because() {
            None => p.name().to_owned(),
            // The log has the reason.
            Some(_) => format!("{} (cannot be used)", p.name()),
        });
        let names: Vec<String> = named.collect();
        text.push_str(&format!("providers       {}\n", names.join(", ")));
        if node.store.keys().map_err(could_not)?.is_empty() {
            text.push_str(&format!("next            make a key: bastide key create my-app{data}\n"));
        }
    }
    if settings.guard != GuardMode::Enforce {
        let makes_it = match guard_said_by {
            Some(origin) => format!("what `{origin}` says wins"),
            None => format!("`bastide guard mode enforce{data}` makes it"),
        };
        text.push_str(&format!("note            the guard does not act: {makes_it}\n"));
    }
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Nobody reads; the server serves all the same.
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(could_not),
    }
}

/// The variables that hold a provider's credential, whatever they are called.
fn variables(node: &Node, args: &Serve) -> Result<BTreeSet<String>, Failure> {
    let providers = node.store.providers().map_err(could_not)?;
    let named = providers.into_iter().filter_map(|row| match row.credential {
        CredentialSource::Env(name) => Some(name),
        _ => None,
    });
    Ok(named.chain(args.upstream_key_env.clone()).collect())
}
