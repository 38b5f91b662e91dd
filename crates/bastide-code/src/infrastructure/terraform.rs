//! Terraform and OpenTofu: clouds that serve models.

use crate::infrastructure::container;
use crate::infrastructure::hcl::{self, Block};
use crate::infrastructure::rules;
use crate::remark::{Remarks, shown};

/// Ports of servers that ask for no login.
const PORTS: &[u32] = &[
    4000, 5000, 6333, 7860, 8000, 8001, 8002, 8080, 8081, 8188, 8265, 8500, 8501, 8888, 9997, 10001, 11434,
    19530, 30000,
];

pub(crate) fn read(text: &str, remarks: &mut Remarks<'_>) {
    let blocks = hcl::blocks(text);
    for block in &blocks {
        let top = root(&blocks, block);
        let resource = top.labels.first().map(String::as_str).unwrap_or_default();
        network(block, top, resource, remarks);
        bucket(block, resource, remarks);
        endpoint(block, resource, remarks);
        values(block, remarks);
    }
}

/// The outermost block around `block`.
fn root<'b>(blocks: &'b [Block], block: &'b Block) -> &'b Block {
    const DEEPEST: usize = 16;
    let mut block = block;
    for _ in 0..DEEPEST {
        let Some(parent) = block.parent.and_then(|at| blocks.get(at)) else { break };
        block = parent;
    }
    block
}

/// Security groups and firewalls.
fn network(block: &Block, top: &Block, resource: &str, remarks: &mut Remarks<'_>) {
    let text = |name: &str| block.get(name).map(|(value, _)| value).unwrap_or_default();
    let inward = block.kind == "ingress"
        || resource == "aws_vpc_security_group_ingress_rule"
        || resource == "aws_security_group_rule" && text("type") == "ingress"
        || resource.contains("network_security_")
            && text("direction").eq_ignore_ascii_case("inbound")
            && text("access").eq_ignore_ascii_case("allow");
    let sources = [
        "cidr_blocks",
        "cidr_ipv4",
        "cidr_ipv6",
        "ipv6_cidr_blocks",
        "source_ranges",
        "source_address_prefix",
        "cidr_block",
    ];
    let source = sources.iter().find_map(|name| block.get(name));
    let open = source.filter(|(value, _)| {
        ["0.0.0.0/0", "::/0"].iter().any(|all| value.contains(all)) || matches!(*value, "*" | "Internet")
    });
    if let (true, Some((_, line))) = (inward, open)
        && let Some(port) = open_port(block)
    {
        remarks.add_line(&rules::OPEN_NETWORK, line, format!("everyone may reach port {port}"));
    }
    // A firewall of Google says its sources beside its `allow` blocks.
    let ports = block.get("ports").map(|(value, line)| (value.to_owned(), line));
    let everyone = top
        .get("source_ranges")
        .is_some_and(|(value, _)| value.contains("0.0.0.0/0") || value.contains("::/0"));
    if let (true, Some((ports, line))) =
        (block.kind == "allow" && resource == "google_compute_firewall" && everyone, ports)
        && let Some(port) = PORTS.iter().find(|port| ports.contains(&format!("\"{port}\"")))
    {
        remarks.add_line(&rules::OPEN_NETWORK, line, format!("a firewall rule lets in to port {port}"));
    }
}

/// The first port of a server of models that the rule opens.
fn open_port(block: &Block) -> Option<u32> {
    let number = |name: &str| block.get(name).and_then(|(value, _)| value.parse::<u32>().ok());
    if let Some(range) = block.get("destination_port_range").map(|(value, _)| value) {
        return PORTS.iter().copied().find(|port| range == port.to_string());
    }
    let (from, to) = (number("from_port")?, number("to_port")?);
    // All ports, or a handful: a range in between is somebody else's concern.
    PORTS.iter().copied().find(|port| (from..=to).contains(port) && to - from < 1_024)
}

/// Buckets that everyone may read.
fn bucket(block: &Block, resource: &str, remarks: &mut Remarks<'_>) {
    let public = match resource {
        "aws_s3_bucket" | "aws_s3_bucket_acl" => {
            block.get("acl").filter(|(acl, _)| acl.starts_with("public-read"))
        }
        "aws_s3_bucket_public_access_block" => {
            ["block_public_acls", "block_public_policy", "restrict_public_buckets"]
                .iter()
                .find_map(|name| block.get(name).filter(|(value, _)| *value == "false"))
        }
        "google_storage_bucket_iam_member"
        | "google_storage_bucket_iam_binding"
        | "google_storage_bucket_access_control" => ["member", "members", "entity"].iter().find_map(|name| {
            block
                .get(name)
                .filter(|(value, _)| value.contains("allUsers") || value.contains("allAuthenticatedUsers"))
        }),
        "azurerm_storage_container" => {
            block.get("container_access_type").filter(|(value, _)| matches!(*value, "blob" | "container"))
        }
        "azurerm_storage_account" => ["allow_nested_items_to_be_public", "allow_blob_public_access"]
            .iter()
            .find_map(|name| block.get(name).filter(|(value, _)| *value == "true")),
        _ => None,
    };
    if let Some((value, line)) = public {
        remarks.add_line(
            &rules::PUBLIC_BUCKET,
            line,
            format!("`{resource}` is opened by `{}`", shown(value)),
        );
    }
}

/// Services of models.
fn endpoint(block: &Block, resource: &str, remarks: &mut Remarks<'_>) {
    let open = |name: &str, bad: &str| {
        block.get(name).filter(|(value, _)| value.eq_ignore_ascii_case(bad)).map(|(_, line)| line)
    };
    let line = match resource {
        "azurerm_cognitive_account"
        | "azurerm_ai_services"
        | "azurerm_machine_learning_workspace"
        | "azurerm_search_service" => open("public_network_access_enabled", "true"),
        "aws_sagemaker_notebook_instance" => {
            open("direct_internet_access", "Enabled").or_else(|| open("root_access", "Enabled"))
        }
        "aws_sagemaker_domain" => open("app_network_access_type", "PublicInternetOnly"),
        "aws_sagemaker_model" => open("enable_network_isolation", "false"),
        "google_notebooks_instance" | "google_workbench_instance" => {
            open("no_public_ip", "false").or_else(|| open("disable_public_ip", "false"))
        }
        "google_vertex_ai_index_endpoint" => open("public_endpoint_enabled", "true"),
        "google_cloud_run_service_iam_member" | "google_cloud_run_v2_service_iam_member" => {
            open("member", "allUsers")
        }
        "aws_lambda_function_url" => open("authorization_type", "NONE"),
        _ => None,
    };
    if let Some(line) = line {
        remarks.add_line(&rules::PUBLIC_ENDPOINT, line, format!("`{resource}` is open to the internet"));
    }
}

/// Keys and images among the values.
fn values(block: &Block, remarks: &mut Remarks<'_>) {
    for (name, value, line) in &block.attributes {
        let bare = value.trim_matches('"');
        if !value.contains('\n') {
            container::key(name, bare, *line, remarks);
            if name == "image" && value.starts_with('"') {
                container::image(bare, *line, remarks);
            }
        } else {
            let inner =
                value.lines().enumerate().filter_map(|(at, text)| Some((at, text.split_once(['=', ':'])?)));
            for (at, (name, value)) in inner.take(1_024) {
                let clean = |text: &str| text.trim().trim_matches([',', '"', ' ']).to_owned();
                container::key(&clean(name), &clean(value), line + at, remarks);
            }
        }
        container::arguments(value, *line, remarks);
    }
}
