//! Manifests of Kubernetes, and of KServe, Ray and Seldon.

use crate::infrastructure::container::Container;
use crate::infrastructure::pod::{self, Pod};
use crate::infrastructure::rules;
use crate::infrastructure::servers;
use crate::remark::{Remarks, shown};
use crate::yaml::{Node, Yaml};

/// The most objects of one file that are looked at.
const MANY: usize = 4_096;

/// A way into the cluster.
struct Door<'y> {
    name: &'y str,
    line: usize,
    selector: Vec<(&'y str, &'y str)>,
    ports: Vec<&'y str>,
    how: &'y str,
}

pub(crate) fn read(yaml: &Yaml, remarks: &mut Remarks<'_>) {
    let mut pods = Vec::new();
    let mut doors = Vec::new();
    let mut policy = false;
    for object in yaml.documents().flat_map(unfold).take(MANY) {
        match object.text_at(&["kind"]).unwrap_or_default() {
            "NetworkPolicy" | "CiliumNetworkPolicy" | "AuthorizationPolicy" => policy = true,
            "Service" => doors.extend(service(object)),
            "Ingress" => doors.extend(ingress(object)),
            "ConfigMap" => settings(object, remarks),
            _ => specs(object).into_iter().for_each(|(spec, labels)| pods.extend(pod::read(spec, labels))),
        }
    }
    for pod in &pods {
        pod::check(pod, remarks);
    }
    let mut serving = pods.iter().filter(|pod| pod.server().is_some());
    if let Some(pod) = serving.next().filter(|_| !policy) {
        let name = pod.server().map_or("", |(_, server)| server.name);
        remarks.add_line(
            &rules::NO_POLICY,
            pod.line,
            format!("{name} runs here, and the file holds no network policy"),
        );
    }
    for door in &doors {
        exposed(door, &pods, remarks);
    }
}

/// The objects of a list, or the object itself.
fn unfold(document: Node<'_>) -> Vec<Node<'_>> {
    match document.get("items") {
        Some(items) if document.text_at(&["kind"]).is_some_and(|kind| kind.ends_with("List")) => {
            items.items().take(MANY).collect()
        }
        _ => vec![document],
    }
}

/// The pod specifications of an object, and the labels of their pods.
fn specs(object: Node<'_>) -> Vec<(Node<'_>, Option<Node<'_>>)> {
    const TEMPLATES: &[&[&str]] = &[
        &["spec", "template"],
        &["spec", "jobTemplate", "spec", "template"],
        &["spec", "headGroupSpec", "template"],
        &["spec", "rayClusterConfig", "headGroupSpec", "template"],
        &["spec", "rayClusterSpec", "headGroupSpec", "template"],
        &["spec", "leaderWorkerTemplate", "workerTemplate"],
        &["spec", "leaderWorkerTemplate", "leaderTemplate"],
    ];
    const WORKERS: &[&[&str]] = &[
        &["spec", "workerGroupSpecs"],
        &["spec", "rayClusterConfig", "workerGroupSpecs"],
        &["spec", "rayClusterSpec", "workerGroupSpecs"],
    ];
    let template = |template: Node<'_>| template.get("spec").is_some();
    let mut found = Vec::new();
    for keys in TEMPLATES {
        if let Some(node) = object.at(keys).filter(|node| template(*node)) {
            found.extend(node.get("spec").map(|spec| (spec, node.at(&["metadata", "labels"]))));
        }
    }
    for group in WORKERS.iter().filter_map(|keys| object.at(keys)).flat_map(Node::items).take(64) {
        found.extend(group.at(&["template", "spec"]).map(|spec| (spec, None)));
    }
    let kind = object.text_at(&["kind"]).unwrap_or_default();
    if kind == "Pod" {
        found.extend(object.get("spec").map(|spec| (spec, object.at(&["metadata", "labels"]))));
    }
    if kind == "InferenceService" || kind == "ServingRuntime" || kind == "ClusterServingRuntime" {
        for part in ["predictor", "transformer", "explainer"] {
            found.extend(object.at(&["spec", part]).map(|spec| (spec, None)));
        }
        found.extend(
            object.get("spec").filter(|spec| spec.get("containers").is_some()).map(|spec| (spec, None)),
        );
    }
    if kind == "SeldonDeployment" {
        let predictors = object.at(&["spec", "predictors"]).into_iter().flat_map(Node::items).take(64);
        for component in
            predictors.filter_map(|predictor| predictor.get("componentSpecs")).flat_map(Node::items).take(64)
        {
            found.extend(component.get("spec").map(|spec| (spec, None)));
        }
    }
    found
}

fn service(object: Node<'_>) -> Option<Door<'_>> {
    let spec = object.get("spec")?;
    let how = spec.text_at(&["type"]).filter(|how| matches!(*how, "LoadBalancer" | "NodePort"));
    let external = spec.get("externalIPs").and_then(|ips| ips.items().next()).map(|_| "externalIPs");
    let internal = object
        .at(&["metadata", "annotations"])
        .into_iter()
        .flat_map(Node::pairs)
        .any(|(key, value)| key.contains("internal") && value.text().is_some_and(|text| text != "false"));
    let ports = spec.get("ports").into_iter().flat_map(Node::items).take(64);
    Some(Door {
        name: object.text_at(&["metadata", "name"]).unwrap_or_default(),
        line: spec.get("type").unwrap_or(spec).line(),
        selector: spec
            .get("selector")
            .into_iter()
            .flat_map(Node::pairs)
            .filter_map(|(key, value)| Some((key, value.text()?)))
            .collect(),
        ports: ports
            .filter_map(|port| port.text_at(&["targetPort"]).or_else(|| port.text_at(&["port"])))
            .collect(),
        how: how.or(external).filter(|_| !internal)?,
    })
}

/// An ingress without any word of who may come in.
fn ingress(object: Node<'_>) -> Option<Door<'_>> {
    let annotations = object.at(&["metadata", "annotations"]);
    let guarded = annotations.into_iter().flat_map(Node::pairs).any(|(key, _)| {
        ["auth", "whitelist", "allowlist", "oidc", "internal"].iter().any(|word| key.contains(word))
    });
    let rules = object.at(&["spec", "rules"]).into_iter().flat_map(Node::items).take(64);
    let paths = rules.filter_map(|rule| rule.at(&["http", "paths"])).flat_map(Node::items).take(64);
    let ports: Vec<&str> =
        paths.filter_map(|path| path.text_at(&["backend", "service", "port", "number"])).collect();
    (!guarded && ports.iter().any(|port| servers::of_port(port).is_some())).then(|| Door {
        name: object.text_at(&["metadata", "name"]).unwrap_or_default(),
        line: object.line(),
        selector: Vec::new(),
        ports,
        how: "Ingress",
    })
}

/// A door that leads to a server without a login.
fn exposed(door: &Door<'_>, pods: &[Pod<'_>], remarks: &mut Remarks<'_>) {
    let leads = |pod: &&Pod<'_>| {
        !door.selector.is_empty() && door.selector.iter().all(|label| pod.labels.contains(label))
    };
    let behind: Vec<&Pod<'_>> = pods.iter().filter(leads).collect();
    let open = behind.iter().find_map(|pod| pod.open_server());
    let by_port =
        behind.is_empty().then(|| door.ports.iter().find_map(|port| servers::of_port(port))).flatten();
    if let Some(server) = open.or(by_port) {
        let message = format!(
            "`{}` ({}) leads to {}, which asks for no login",
            shown(door.name),
            door.how,
            server.name
        );
        remarks.add_line(&rules::EXPOSED, door.line, message);
    }
}

/// Keys among settings.
fn settings(object: Node<'_>, remarks: &mut Remarks<'_>) {
    for (name, value) in object.get("data").into_iter().flat_map(Node::pairs).take(1_024) {
        if let Some(text) = value.text().filter(|text| text.len() < 512) {
            crate::infrastructure::container::key(name, text, value.line(), remarks);
        }
    }
}

/// Containers of one specification.
pub(crate) fn containers<'y>(spec: Node<'y>, key: &str) -> Vec<(Node<'y>, Container)> {
    let nodes = spec.get(key).into_iter().flat_map(Node::items).take(256);
    nodes.map(|node| (node, container(node))).collect()
}

/// One container, or the `model` of an inference service, which is one.
pub(crate) fn container(node: Node<'_>) -> Container {
    let words = |key: &str| -> Vec<&str> {
        let list = node.get(key);
        let single = list.and_then(Node::text);
        list.into_iter().flat_map(Node::items).take(512).filter_map(Node::text).chain(single).collect()
    };
    let mut command = words("command");
    command.extend(words("args"));
    let variables = node.get("env").into_iter().flat_map(Node::items).take(1_024);
    let (mut environment, mut environment_lines) = (Vec::new(), Vec::new());
    for variable in variables {
        let Some(name) = variable.text_at(&["name"]) else { continue };
        let value = variable.get("value");
        environment.push((name.to_owned(), value.and_then(Node::text).unwrap_or("$").to_owned()));
        environment_lines.push(value.unwrap_or(variable).line());
    }
    let line_of = |key: &str| node.get(key).map(Node::line);
    Container {
        name: node.text_at(&["name"]).unwrap_or("container").to_owned(),
        line: node.line(),
        image: node.text_at(&["image"]).unwrap_or_default().to_owned(),
        image_line: line_of("image").unwrap_or_else(|| node.line()),
        command: command.join(" "),
        command_line: line_of("args").or_else(|| line_of("command")).unwrap_or_else(|| node.line()),
        environment,
        environment_lines,
    }
}
