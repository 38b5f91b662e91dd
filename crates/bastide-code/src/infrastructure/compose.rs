//! Compose files.

use crate::infrastructure::container::Container;
use crate::infrastructure::pod;
use crate::infrastructure::rules;
use crate::remark::{Remarks, shown};
use crate::yaml::Node;

/// Whether a document is a compose file: services that have images or are built.
pub(crate) fn is_compose(document: Node<'_>, name: &str) -> bool {
    let Some(services) = document.get("services").filter(|services| services.is_map()) else { return false };
    let named = name.contains("compose");
    named
        || services
            .pairs()
            .take(64)
            .any(|(_, service)| service.get("image").is_some() || service.get("build").is_some())
}

pub(crate) fn read(document: Node<'_>, remarks: &mut Remarks<'_>) {
    for (name, service) in document.get("services").into_iter().flat_map(Node::pairs).take(1_024) {
        let container = container(name, service);
        container.check(remarks);
        open_ports(service, &container, remarks);
        machine(service, &container, remarks);
        mounts(service, &container, remarks);
        if container.server().is_some() && !limited(service) {
            remarks.add_line(
                &rules::NO_LIMITS,
                container.line,
                format!("`{}` has no limit of memory", shown(name)),
            );
        }
    }
}

fn container(name: &str, service: Node<'_>) -> Container {
    let words = |key: &str| -> Vec<&str> {
        let node = service.get(key);
        let single = node.and_then(Node::text);
        node.into_iter().flat_map(Node::items).take(512).filter_map(Node::text).chain(single).collect()
    };
    let mut command = words("entrypoint");
    command.extend(words("command"));
    let (mut environment, mut environment_lines) = (Vec::new(), Vec::new());
    let variables = service.get("environment");
    for (name, value) in variables.into_iter().flat_map(Node::pairs).take(1_024) {
        environment.push((name.to_owned(), value.text().unwrap_or("$").to_owned()));
        environment_lines.push(value.line());
    }
    for entry in variables.into_iter().flat_map(Node::items).take(1_024) {
        let text = entry.text().unwrap_or_default();
        let (name, value) = text.split_once('=').unwrap_or((text, "$"));
        environment.push((name.to_owned(), value.to_owned()));
        environment_lines.push(entry.line());
    }
    let line_of = |key: &str| service.get(key).map(Node::line);
    Container {
        name: name.to_owned(),
        line: service.line().saturating_sub(1).max(1),
        image: service.text_at(&["image"]).unwrap_or_default().to_owned(),
        image_line: line_of("image").unwrap_or_else(|| service.line()),
        command: command.join(" "),
        command_line: line_of("command").or_else(|| line_of("entrypoint")).unwrap_or_else(|| service.line()),
        environment,
        environment_lines,
    }
}

/// Ports that are published on every address of the machine.
fn open_ports(service: Node<'_>, container: &Container, remarks: &mut Remarks<'_>) {
    let Some(server) = container.server() else { return };
    if server.has_login(&container.command, &container.environment) {
        return;
    }
    for port in service.get("ports").into_iter().flat_map(Node::items).take(256) {
        let (address, target) = match port.text() {
            Some(text) => published(text),
            None => {
                let host = port.text_at(&["host_ip"]).map(str::to_owned);
                (host, port.text_at(&["target"]).unwrap_or_default().to_owned())
            }
        };
        let local = address.as_deref().is_some_and(|address| {
            address.starts_with("127.") || matches!(address, "localhost" | "::1" | "[::1]" | "$")
        });
        if !local && (server.ports.contains(&target.as_str()) || !target.is_empty()) {
            let message = format!(
                "port {} of {} is published on every address, and it asks for no login",
                shown(&target),
                server.name
            );
            remarks.add_line(&rules::EXPOSED, port.line(), message);
            return;
        }
    }
}

/// `address:published:target/protocol`: the address, if there is one, and the target.
fn published(text: &str) -> (Option<String>, String) {
    let text = text.split('/').next().unwrap_or(text);
    let Some((before, target)) = text.rsplit_once(':') else { return (None, text.to_owned()) };
    // `${BIND:-127.0.0.1}` says its own default.
    if before.contains("${") && before.contains("127.0.0.1") {
        return (Some("127.0.0.1".to_owned()), target.to_owned());
    }
    let address = before.rsplit_once(':').map(|(address, _)| address.to_owned());
    (address.filter(|address| !address.contains("${")), target.trim_end_matches('}').to_owned())
}

/// What the service shares with its machine.
fn machine(service: Node<'_>, container: &Container, remarks: &mut Remarks<'_>) {
    let name = shown(&container.name);
    if let Some(value) = service.get("privileged").filter(|_| service.is_true("privileged")) {
        remarks.add_line(&rules::PRIVILEGED, value.line(), format!("`{name}` is privileged"));
    }
    for key in ["network_mode", "pid", "ipc"] {
        if let Some(value) = service.get(key).filter(|value| value.text() == Some("host")) {
            remarks.add_line(&rules::HOST_NAMESPACE, value.line(), format!("`{name}` has `{key}: host`"));
            if key == "ipc" && container.server().is_some() {
                remarks.add_line(
                    &rules::SHARED_MEMORY,
                    value.line(),
                    format!("`/dev/shm` of `{name}` is that of the machine"),
                );
            }
            let open = container
                .server()
                .filter(|server| !server.has_login(&container.command, &container.environment));
            if let (Some(server), "network_mode") = (open, key) {
                let message =
                    format!("{} listens on the machine's own ports and asks for no login", server.name);
                remarks.add_line(&rules::EXPOSED, value.line(), message);
            }
        }
    }
    for capability in service.get("cap_add").into_iter().flat_map(Node::items).take(64) {
        if capability.text().is_some_and(pod::is_strong) {
            let text = shown(capability.text().unwrap_or_default());
            remarks.add_line(&rules::CAPABILITIES, capability.line(), format!("`{name}` has `{text}`"));
        }
    }
    if let Some(user) = service.get("user").filter(|user| matches!(user.text(), Some("root" | "0" | "0:0"))) {
        remarks.add_line(&rules::ROOT, user.line(), format!("`{name}` runs as root"));
    }
}

fn mounts(service: Node<'_>, container: &Container, remarks: &mut Remarks<'_>) {
    for mount in service.get("volumes").into_iter().flat_map(Node::items).take(512) {
        let (source, target, read_only) = match mount.text() {
            Some(text) => {
                let mut parts = text.split(':');
                let (source, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
                (source, target, parts.next().is_some_and(|mode| mode.split(',').any(|mode| mode == "ro")))
            }
            None => (
                mount.text_at(&["source"]).unwrap_or_default(),
                mount.text_at(&["target"]).unwrap_or_default(),
                mount.is_true("read_only"),
            ),
        };
        let system = ["/var/run", "/run/", "/etc", "/proc", "/sys", "/root", "/dev", "/usr"]
            .iter()
            .any(|folder| source.starts_with(folder));
        if system || source == "/" {
            pod::host_path(source, mount.line(), remarks);
        }
        let models = pod::holds_models(target) || pod::holds_models(source);
        if container.server().is_some() && models && !read_only && !target.is_empty() {
            let message = format!("`{}` may write to `{}`", shown(&container.name), shown(target));
            remarks.add_line(&rules::WRITABLE_MODEL, mount.line(), message);
        }
    }
}

fn limited(service: Node<'_>) -> bool {
    service.get("mem_limit").is_some() || service.at(&["deploy", "resources", "limits", "memory"]).is_some()
}
