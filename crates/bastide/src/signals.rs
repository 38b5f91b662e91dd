//! Signals: SIGTERM and SIGINT stop the server, SIGHUP has it read its settings again.

use std::io::IsTerminal as _;
use std::sync::Arc;

use bastide_types::ActorRef;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::notify;
use crate::running::Running;

/// Waits for signals until one says that the server is to stop; a second one of those stops it at once.
pub(crate) async fn wait(running: Arc<Running>, stop: watch::Sender<bool>) {
    let all =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    let (Ok(mut term), Ok(mut int), Ok(hangup)) = all else {
        tracing::error!("signals cannot be received; stop the server with SIGKILL");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
        () = reload_on(hangup, &running) => {}
    }
    notify::stopping();
    tracing::info!("stopping: running exchanges are drained; a second signal stops at once");
    let _ = stop.send(true);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    std::process::exit(130);
}

/// Reloads with every hangup. Ends when one says that the terminal is gone that the server was started in: then nobody
/// is left to stop it.
async fn reload_on(mut hangup: Signal, running: &Arc<Running>) {
    let in_terminal = std::io::stderr().is_terminal();
    let actor = ActorRef::LocalOperator { uid: rustix::process::geteuid().as_raw() };
    while hangup.recv().await.is_some() {
        if in_terminal && !std::io::stderr().is_terminal() {
            return;
        }
        notify::reloading();
        // A task of its own: a signal that stops the server must not leave it half done. It has said in the log how it went.
        let running = Arc::clone(running);
        if tokio::spawn(async move { running.reload(actor).await }).await.is_err() {
            tracing::error!(
                "a reload panicked; the settings of before are in force where it had not come to them"
            );
        }
        notify::ready();
    }
}
