//! One pod: what it may do on its machine, and what it does with models.

use crate::infrastructure::container::Container;
use crate::infrastructure::kubernetes;
use crate::infrastructure::rules;
use crate::infrastructure::servers::Server;
use crate::remark::{Remarks, shown};
use crate::yaml::Node;

/// A pod as its specification has it.
pub(crate) struct Pod<'y> {
    spec: Node<'y>,
    pub(crate) line: usize,
    pub(crate) labels: Vec<(&'y str, &'y str)>,
    containers: Vec<(Node<'y>, Container)>,
    init: Vec<(Node<'y>, Container)>,
}

/// Sidecars that ask who is there.
const GUARDS: &[&str] = &[
    "oauth2-proxy",
    "envoy",
    "authelia",
    "pomerium",
    "kube-rbac-proxy",
    "istio",
    "traefik-forward-auth",
    "bastide",
];

/// The pod of a specification, if it has containers.
pub(crate) fn read<'y>(spec: Node<'y>, labels: Option<Node<'y>>) -> Option<Pod<'y>> {
    let mut containers = kubernetes::containers(spec, "containers");
    // KServe: a predictor's model is its container.
    containers.extend(
        spec.get("model").filter(|model| model.is_map()).map(|model| (model, kubernetes::container(model))),
    );
    (!containers.is_empty()).then(|| Pod {
        spec,
        line: containers.first().map_or(spec.line(), |(node, _)| node.line()),
        labels: labels
            .into_iter()
            .flat_map(Node::pairs)
            .filter_map(|(key, value)| Some((key, value.text()?)))
            .collect(),
        init: kubernetes::containers(spec, "initContainers"),
        containers,
    })
}

impl Pod<'_> {
    /// The server of models in it.
    pub(crate) fn server(&self) -> Option<(&Container, &'static Server)> {
        self.containers.iter().find_map(|(_, container)| Some((container, container.server()?)))
    }

    /// The server of models in it that asks nobody who they are.
    pub(crate) fn open_server(&self) -> Option<&'static Server> {
        let guarded = self
            .containers
            .iter()
            .any(|(_, container)| GUARDS.iter().any(|guard| container.image.contains(guard)));
        let (container, server) = self.server()?;
        (!guarded && !server.has_login(&container.command, &container.environment)).then_some(server)
    }
}

pub(crate) fn check(pod: &Pod<'_>, remarks: &mut Remarks<'_>) {
    host(pod, remarks);
    volumes(pod, remarks);
    for (node, container) in pod.containers.iter().chain(&pod.init) {
        container.check(remarks);
        security(pod, *node, container, remarks);
    }
    let Some((serving, server)) = pod.server() else { return };
    let host_network = pod.spec.is_true("hostNetwork");
    for (node, container) in &pod.containers {
        let ports = node.get("ports").into_iter().flat_map(Node::items).take(64);
        let open = ports.into_iter().find_map(|port| port.get("hostPort"));
        let line = open.map(Node::line).or_else(|| host_network.then_some(container.line));
        if let (Some(line), Some(server)) = (line.filter(|_| container.server().is_some()), pod.open_server())
        {
            let message = format!("{} listens on the machine's own port and asks for no login", server.name);
            remarks.add_line(&rules::EXPOSED, line, message);
        }
        limits(*node, container, remarks);
    }
    if !pod.spec.is_false("automountServiceAccountToken") {
        let message = format!("the pod of {} gets a token by default", server.name);
        remarks.add_line(&rules::SERVICE_ACCOUNT, pod.line, message);
    }
    let verifies = pod.init.iter().any(|(_, container)| {
        let words = format!("{} {}", container.image, container.command);
        ["verify", "cosign", "model_signing", "model-signing", "sha256sum", "bastide"]
            .iter()
            .any(|word| words.contains(word))
    });
    if serving.loads_by_name() && !verifies {
        let message = format!("{} fetches its model and serves it", server.name);
        remarks.add_line(&rules::UNVERIFIED_MODEL, serving.command_line, message);
    }
}

/// What the pod shares with its machine.
fn host(pod: &Pod<'_>, remarks: &mut Remarks<'_>) {
    for key in ["hostIPC", "hostPID", "hostNetwork"] {
        if let Some(value) = pod.spec.get(key).filter(|_| pod.spec.is_true(key)) {
            remarks.add_line(&rules::HOST_NAMESPACE, value.line(), format!("`{key}` is set"));
        }
    }
    let mounts =
        pod.containers.iter().flat_map(|(node, _)| node.get("volumeMounts")).flat_map(Node::items).take(512);
    let memory = mounts
        .filter(|mount| mount.text_at(&["mountPath"]).is_some_and(|path| path.starts_with("/dev/shm")))
        .find(|mount| {
            pod.spec.is_true("hostIPC")
                || volume(pod, *mount).is_some_and(|volume| volume.get("hostPath").is_some())
        });
    if let Some(mount) = memory {
        remarks.add_line(&rules::SHARED_MEMORY, mount.line(), "`/dev/shm` is that of the machine");
    }
}

/// The volume that a mount is of.
fn volume<'y>(pod: &Pod<'y>, mount: Node<'y>) -> Option<Node<'y>> {
    let name = mount.text_at(&["name"])?;
    let mut volumes = pod.spec.get("volumes").into_iter().flat_map(Node::items).take(512);
    volumes.find(|volume| volume.text_at(&["name"]) == Some(name))
}

fn volumes(pod: &Pod<'_>, remarks: &mut Remarks<'_>) {
    for volume in pod.spec.get("volumes").into_iter().flat_map(Node::items).take(512) {
        if let Some(path) = volume.at(&["hostPath", "path"]) {
            host_path(path.text().unwrap_or_default(), path.line(), remarks);
        }
    }
    for (node, container) in pod.containers.iter().filter(|(_, container)| container.server().is_some()) {
        for mount in node.get("volumeMounts").into_iter().flat_map(Node::items).take(512) {
            let path = mount.text_at(&["mountPath"]).unwrap_or_default();
            let scratch = volume(pod, mount).is_some_and(|volume| {
                volume.get("emptyDir").is_some()
                    || volume.get("configMap").is_some()
                    || volume.get("secret").is_some()
            });
            if holds_models(path) && !mount.is_true("readOnly") && !scratch {
                let message = format!("`{}` may write to `{}`", shown(&container.name), shown(path));
                remarks.add_line(&rules::WRITABLE_MODEL, mount.line(), message);
            }
        }
    }
}

/// Whether a folder is one where models are kept.
pub(crate) fn holds_models(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    ["model", "weights", "checkpoint", ".ollama", "huggingface", "/hf", "mlruns", "mlartifacts"]
        .iter()
        .any(|word| path.contains(word))
}

/// A folder of the machine.
pub(crate) fn host_path(path: &str, line: usize, remarks: &mut Remarks<'_>) {
    if ["docker.sock", "containerd.sock", "crio.sock", "podman.sock"]
        .iter()
        .any(|socket| path.ends_with(socket))
    {
        remarks.add_line(&rules::CONTAINER_SOCKET, line, format!("`{}` is mounted", shown(path)));
    } else if [
        "/dev/nvidia",
        "/usr/local/nvidia",
        "/usr/lib/nvidia",
        "/dev/kfd",
        "/dev/dri",
        "/home/kubernetes/bin/nvidia",
        "libcuda",
        "libnvidia",
    ]
    .iter()
    .any(|driver| path.contains(driver))
    {
        remarks.add_line(&rules::HOST_DRIVER, line, format!("`{}` is mounted", shown(path)));
    } else {
        remarks.add_line(&rules::HOST_PATH, line, format!("`{}` of the machine is mounted", shown(path)));
    }
}

/// What a container may do.
fn security(pod: &Pod<'_>, node: Node<'_>, container: &Container, remarks: &mut Remarks<'_>) {
    let own = node.get("securityContext");
    let name = shown(&container.name);
    if let Some(value) = own.and_then(|own| own.get("privileged").filter(|_| own.is_true("privileged"))) {
        remarks.add_line(&rules::PRIVILEGED, value.line(), format!("`{name}` is privileged"));
    }
    let added =
        own.and_then(|own| own.at(&["capabilities", "add"])).into_iter().flat_map(Node::items).take(64);
    for capability in added {
        if capability.text().is_some_and(is_strong) {
            let text = shown(capability.text().unwrap_or_default());
            remarks.add_line(&rules::CAPABILITIES, capability.line(), format!("`{name}` has `{text}`"));
        }
    }
    if container.server().is_none() {
        return;
    }
    let of_pod = pod.spec.get("securityContext");
    let setting = |key: &str| {
        own.and_then(|own| own.text_at(&[key])).or_else(|| of_pod.and_then(|pod| pod.text_at(&[key])))
    };
    let root = setting("runAsUser") == Some("0");
    let not_root = setting("runAsNonRoot").is_some_and(crate::yaml::is_true)
        || setting("runAsUser").is_some_and(|user| user != "0");
    if root || !not_root {
        let line = own.or(of_pod).map_or(container.line, Node::line);
        remarks.add_line(&rules::ROOT, line, format!("`{name}` may run as root"));
    }
}

/// Capabilities that are as good as privileged.
pub(crate) fn is_strong(capability: &str) -> bool {
    matches!(
        capability.trim_start_matches("CAP_"),
        "ALL"
            | "SYS_ADMIN"
            | "SYS_PTRACE"
            | "SYS_MODULE"
            | "SYS_RAWIO"
            | "DAC_READ_SEARCH"
            | "BPF"
            | "NET_ADMIN"
    )
}

fn limits(node: Node<'_>, container: &Container, remarks: &mut Remarks<'_>) {
    if container.server().is_none() {
        return;
    }
    let limits = node.at(&["resources", "limits"]);
    if limits.is_none_or(|limits| limits.get("memory").is_none()) {
        let line = node.get("resources").map_or(container.line, Node::line);
        remarks.add_line(
            &rules::NO_LIMITS,
            line,
            format!("`{}` has no limit of memory", shown(&container.name)),
        );
    }
}
