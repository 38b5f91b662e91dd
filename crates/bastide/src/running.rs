//! The running server, as it can be asked about itself and told to change.

use std::sync::{Arc, Mutex, PoisonError};

use bastide_admin::{
    Admin, Answering, Authorized, Explained, Failure, Finding, Origin, Request, Server, Turn, What, could_not,
};
use bastide_gateway::{Certificate, Gateway, Guard};
use bastide_types::ActorRef;
use serde_json::{Value, json};

use crate::cli::Serve;
use crate::config::{self, Effective, Reloaded, Said};
use crate::doctor;
use crate::logging::LogLevel;
use crate::tls;

/// The server, beside the operations that need none.
pub(crate) struct Running {
    pub(crate) admin: Arc<Admin>,
    pub(crate) gateway: Arc<Gateway>,
    /// What the listener shows; `None`: it speaks plain HTTP.
    pub(crate) certificate: Option<Arc<Certificate>>,
    pub(crate) log_level: LogLevel,
    /// How it was started: what a reload reads again.
    pub(crate) args: Serve,
    pub(crate) said: Said,
    pub(crate) in_force: Mutex<InForce>,
}

/// What is in force.
pub(crate) struct InForce {
    pub(crate) effective: Effective,
    /// Of the certificates that the listener shows.
    pub(crate) certificate: Option<[u8; 32]>,
}

/// Settings that were read and can be used: nothing of them can fail any more.
struct Prepared {
    effective: Effective,
    guard: Option<Arc<Guard>>,
    certificate: Option<tls::Read>,
    reloaded: Reloaded,
}

impl Running {
    /// Executes one request for somebody who may. A change goes on to its end when the caller stops waiting.
    pub(crate) async fn execute(
        self: &Arc<Self>,
        by: &Authorized,
        request: Request,
    ) -> Result<Value, Failure> {
        request.allowed(by)?;
        let running = Arc::clone(self);
        let actor = by.actor();
        match request {
            Request::ConfigReload => {
                tokio::spawn(async move { running.reload(actor).await }).await.map_err(could_not)?
            }
            Request::LogLevel { filter: Some(filter) } => {
                let setting = tokio::spawn(async move { running.set_log_level(actor, &filter).await });
                setting.await.map_err(could_not)?
            }
            Request::LogLevel { filter: None } => Ok(json!({ "filter": self.log_level.text() })),
            Request::GuardSet { mode, rules } => {
                let by = by.clone();
                let setting =
                    tokio::spawn(
                        async move { running.set_guard(&by, mode.as_deref(), rules.as_deref()).await },
                    );
                setting.await.map_err(could_not)?
            }
            Request::GuardShow { version: None } => {
                let mut shown = self.admin.execute(by, Request::GuardShow { version: None }).await?;
                let said = config::said_by(&self.lock().effective.explained).map(ToString::to_string);
                shown["locked_by"] = Value::from(said);
                Ok(shown)
            }
            Request::ConfigExplain => {
                let looking = tokio::task::spawn_blocking(move || running.explained_by_now());
                serde_json::to_value(looking.await.map_err(could_not)?).map_err(could_not)
            }
            Request::Doctor => {
                let looking = tokio::task::spawn_blocking(move || running.findings());
                let findings = looking.await.map_err(could_not)?;
                Ok(json!({"version": env!("CARGO_PKG_VERSION"), "findings": findings}))
            }
            Request::Ready => Ok(json!({ "ready": self.gateway.is_ready() })),
            other => self.admin.execute(by, other).await,
        }
    }

    /// The settings in force, each with its origin, and with what waits since the last reload.
    pub(crate) fn explained(&self) -> Vec<Explained> {
        self.with_log_level(self.lock().effective.explained.clone())
    }

    /// The same, with what the settings file says by now. Reads it: not for a thread that others wait for.
    fn explained_by_now(&self) -> Vec<Explained> {
        match self.read_again() {
            Ok(read) => self.with_log_level(config::beside(&self.lock().effective, &read)),
            // What does not hold is nothing that could wait; `bastide doctor` says why.
            Err(_) => self.explained(),
        }
    }

    fn with_log_level(&self, mut explained: Vec<Explained>) -> Vec<Explained> {
        if let (Some(shows), Some(log)) =
            (self.log_level.given(), explained.iter_mut().find(|e| e.name == "log"))
        {
            log.value = Value::from(shows);
            log.origin = Origin::Command { command: "bastide log-level".to_owned() };
        }
        explained
    }

    /// What a reload would put in force.
    fn read_again(&self) -> Result<Effective, Failure> {
        config::overlay(config::load(&self.args, &self.said)?, &self.admin.node.store)
    }

    /// What the server finds about itself, its settings and its data folder. Reads files: not for a thread that others
    /// wait for.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings = doctor::installation(self.admin.node.dir(), self.admin.node.clock.now(), true);
        findings.extend(doctor::server(&self.admin, &self.gateway));
        let in_force = self.lock().effective.clone();
        findings.extend(doctor::waiting(&in_force, self.read_again(), self.args.config.as_deref()));
        findings.extend(doctor::stored_guard(&in_force, &self.admin.node.store));
        findings.extend(doctor::listeners(&in_force));
        findings
    }

    /// Reads the settings file and the certificate again and puts them in force. When anything of them is wrong, all
    /// stays as it is.
    pub(crate) async fn reload(self: &Arc<Self>, actor: ActorRef) -> Result<Value, Failure> {
        let result = self.try_reload(actor).await;
        match &result {
            Ok(done) => tracing::info!(
                changed = %done["changed"],
                needs_restart = %done["needs_restart"],
                "the settings were read again"
            ),
            Err(failure) => {
                tracing::error!(reason = %failure, "the settings were not reloaded; those of before stay in force");
            }
        }
        result
    }

    async fn try_reload(self: &Arc<Self>, actor: ActorRef) -> Result<Value, Failure> {
        let mut turn = self.admin.changes.turn(actor).await?;
        let running = Arc::clone(self);
        // Compiling a guard takes a while, and so may a disk.
        let preparing = tokio::task::spawn_blocking(move || running.prepare());
        let prepared = preparing.await.map_err(could_not)?.map_err(|failure| {
            failure.after("nothing was changed, and the settings of before stay in force")
        })?;
        let digest = prepared.effective.digest();
        let what = What { action: "config.reload", resource: "settings".to_owned(), state: Some(digest) };
        let mut reloaded = turn.change(what, |_| Ok(self.apply(prepared))).await?;
        reloaded.warnings.extend(turn.into_warnings());
        serde_json::to_value(reloaded).map_err(could_not)
    }

    fn prepare(&self) -> Result<Prepared, Failure> {
        let read = self.read_again()?;
        let certificate = read.tls.as_ref().map(tls::read).transpose()?;
        let before = self.lock();
        let mut reloaded = config::changes(&before.effective, &read);
        let effective = config::in_force(&before.effective, read);
        let certificate = certificate.filter(|_| self.certificate.is_some());
        // Renewed in place: the names of the files say nothing.
        let renewed = certificate.as_ref().is_some_and(|read| before.certificate != Some(read.digest));
        if renewed && !reloaded.changed.contains(&"tls.cert") {
            reloaded.changed.push("tls.cert");
        }
        // What was set in the console must not end unsaid because a line was added elsewhere.
        if config::said_by(&before.effective.explained).is_none() {
            let displaced = config::displaced(&effective, &self.admin.node.store)?;
            reloaded.warnings.extend(displaced.map(|displaced| displaced.to_string()));
        }
        drop(before);
        let settings = &effective.settings;
        let guards = ["guard.mode", "guard.rules", "limits.guard_seconds"];
        let guard = reloaded.changed.iter().any(|name| guards.contains(name)).then(|| {
            Guard::new(settings.guard, settings.profile.clone(), settings.limits.guard_time).map(Arc::new)
        });
        let guard = guard.transpose().map_err(could_not)?;
        Ok(Prepared { effective, guard, certificate, reloaded })
    }

    fn apply(&self, prepared: Prepared) -> Reloaded {
        let Prepared { effective, guard, certificate, reloaded } = prepared;
        let mut in_force = self.lock();
        self.gateway.reconfigure(effective.settings.clone(), guard);
        if let (Some(shown), Some(read)) = (&self.certificate, certificate) {
            shown.replace(read.config);
            in_force.certificate = Some(read.digest);
        }
        in_force.effective = effective;
        reloaded
    }

    /// Stores another guard and puts it in force; streams that run are judged by the one that they began with.
    async fn set_guard(
        self: &Arc<Self>,
        by: &Authorized,
        mode: Option<&str>,
        rules: Option<&str>,
    ) -> Result<Value, Failure> {
        let mut turn = self.admin.changes.turn(by.actor()).await?;
        if let Some(origin) = config::said_by(&self.lock().effective.explained) {
            return Err(Failure::could_not(format!(
                "what the guard does is said by `{origin}`, which wins; change it there, or take it out there to set it here"
            )));
        }
        let draft = self.admin.guard_draft(mode, rules)?;
        let time = self.gateway.settings().limits.guard_time;
        let (mode, profile) = (draft.mode, draft.profile.clone());
        // Compiling a guard takes a while.
        let compiling = tokio::task::spawn_blocking(move || Guard::new(mode, profile, time));
        let guard = compiling.await.map_err(could_not)?.map_err(could_not)?;
        let set_by = self.admin.name_of(by)?;
        let put = |version: u64| {
            let mut in_force = self.lock();
            in_force.effective.put_guard(&draft, version);
            self.gateway.reconfigure(in_force.effective.settings.clone(), Some(Arc::new(guard)));
        };
        let mut answer = self.admin.guard_set(&mut turn, set_by.as_deref(), &draft, put).await?;
        answer["warnings"] = Value::from(turn.into_warnings());
        Ok(answer)
    }

    async fn set_log_level(&self, actor: ActorRef, filter: &str) -> Result<Value, Failure> {
        let parsed = LogLevel::parse(filter)?;
        let mut turn: Turn<'_> = self.admin.changes.turn(actor).await?;
        let what = What { action: "log_level.set", resource: parsed.to_string(), state: None };
        turn.change(what, |_| self.log_level.set(parsed)).await?;
        Ok(json!({"filter": self.log_level.text(), "warnings": turn.into_warnings()}))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, InForce> {
        // Nothing panics while it is held, and what is in it is swapped whole.
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server for Running {
    fn execute(self: Arc<Self>, by: Authorized, request: Request) -> Answering {
        Box::pin(async move { Running::execute(&self, &by, request).await })
    }

    fn explained(&self) -> Vec<Explained> {
        self.explained()
    }

    fn findings(&self) -> Vec<Finding> {
        self.findings()
    }
}
