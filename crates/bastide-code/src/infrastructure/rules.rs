//! The rules of infrastructure files.

use bastide_types::Rule;

use crate::remark::rule;

rule!(TOO_LARGE, "infra.too-large", Medium, Unfinished, "infrastructure file too large",
    why: "what lies beyond the limit was not assessed",
    fix: "split the file",
    cwe: [400], atlas: []);
rule!(MALFORMED, "infra.malformed", Medium, Unfinished, "infrastructure file not readable to the end",
    why: "what was not read was not assessed; another reader may read it otherwise",
    fix: "correct the file",
    cwe: [20], atlas: []);
rule!(
    /// A remark: all of the file is read, and what stands in it is judged. What its values make of it stands in another
    /// file; a repository is no less assessed for having charts.
    TEMPLATED, "infra.templated", Low, Clean, "template, not a manifest",
    why: "what stands in it was looked at, with a word for each value; what the values make of it is not known here",
    fix: "render it (`helm template`) and scan what comes out",
    cwe: [], atlas: []);
rule!(EXPOSED, "infra.exposed-model-server", High, Review, "model server open to the network without a login",
    why: "whoever reaches the port uses the model, and with most servers loads, reads or deletes models and files",
    fix: "bind it to loopback or the cluster, and put a gateway with a login before it",
    cwe: [306, 668], atlas: ["AML.T0049", "AML.T0040"]);
rule!(LOGIN_OFF, "infra.login-off", High, Review, "login of a server turned off",
    why: "the server would ask who is there, and was told not to",
    fix: "remove the setting, and give the server a token from a secret",
    cwe: [306], atlas: ["AML.T0049"]);
rule!(WRITABLE_MODEL, "infra.writable-model", Medium, Clean, "model files writable by the server",
    why: "who takes over the server can leave a changed model behind, which the next start loads",
    fix: "mount the volume read-only; let another job fetch and check models",
    cwe: [732], atlas: ["AML.T0018", "AML.T0020"]);
rule!(NO_POLICY, "infra.no-network-policy", Low, Clean, "no network policy beside a model server",
    why: "without a policy of egress a server that was taken over reaches everything, and sends out what it has",
    fix: "add a NetworkPolicy with ingress from the gateway only and egress to what it needs",
    cwe: [923], atlas: ["AML.T0024", "AML.T0025"]);
rule!(PRIVILEGED, "infra.privileged", High, Review, "privileged container",
    why: "it owns the machine, and so does whoever takes it over, a model's code included",
    fix: "drop `privileged`; ask for the GPU through its device plugin",
    cwe: [250], atlas: ["AML.T0105"]);
rule!(CAPABILITIES, "infra.capabilities", High, Review, "container with capabilities that own the machine",
    why: "`SYS_ADMIN`, `SYS_PTRACE`, `SYS_MODULE` or `ALL` are as good as privileged",
    fix: "drop all capabilities and add only what is needed",
    cwe: [250], atlas: ["AML.T0105"]);
rule!(HOST_NAMESPACE, "infra.host-namespace", High, Review, "container in the machine's own namespaces",
    why: "it sees the processes, the memory or the network of everything else on the machine",
    fix: "drop `hostIPC`, `hostPID` and `hostNetwork`; give shared memory as an `emptyDir` in memory",
    cwe: [653], atlas: ["AML.T0105"]);
rule!(SHARED_MEMORY, "infra.shared-memory", High, Review, "memory shared with the whole machine",
    why: "tensors and prompts in `/dev/shm` can be read and changed by everything that shares it",
    fix: "use an `emptyDir` with `medium: Memory` and a size limit",
    cwe: [653, 668], atlas: ["AML.T0105"]);
rule!(HOST_PATH, "infra.host-path", Medium, Review, "folder of the machine within a container",
    why: "who takes over the container reads or changes files of the machine, and models that others load",
    fix: "use a volume claim, read-only for models",
    cwe: [668, 732], atlas: ["AML.T0105"]);
rule!(CONTAINER_SOCKET, "infra.container-socket", Critical, Review, "container with the container engine's socket",
    why: "who may speak to the engine starts a container that owns the machine",
    fix: "remove the mount",
    cwe: [250, 668], atlas: ["AML.T0105"]);
rule!(HOST_DRIVER, "infra.host-driver", Medium, Clean, "GPU driver taken from the machine by path",
    why: "devices and libraries by path go round the device plugin, which keeps tenants apart",
    fix: "ask for the GPU as a resource, through the device plugin or CDI",
    cwe: [668], atlas: ["AML.T0105"]);
rule!(NO_LIMITS, "infra.no-limits", Low, Clean, "model server without limits",
    why: "one long prompt takes the memory of everything else on the machine",
    fix: "set limits of memory, and of the GPU if it uses one",
    cwe: [770], atlas: ["AML.T0029"]);
rule!(PROVIDER_KEY, "infra.provider-key", High, Review, "key of a provider in clear text",
    why: "who may read the file, the image or the settings of a running container has the key",
    fix: "revoke it; take the new one from a secret (`secretKeyRef`, a secret store, a build secret)",
    cwe: [798, 522], atlas: ["AML.T0055"]);
rule!(UNPINNED_IMAGE, "infra.unpinned-image", Low, Clean, "image without a version",
    why: "`latest` is another program tomorrow, and whoever may push it decides which",
    fix: "name the version and pin the digest (`@sha256:`)",
    cwe: [829, 1357], atlas: ["AML.T0010.001"]);
rule!(REMOTE_CODE, "infra.remote-code", High, Review, "server runs code from the model's repository",
    why: "with `--trust-remote-code` Python files of the repository run in the server; its owner may change them",
    fix: "use a model that the server knows; else build its code into the image and pin the revision",
    cwe: [829, 494], atlas: ["AML.T0010.003", "AML.T0011.000"]);
rule!(UNPINNED_MODEL, "infra.unpinned-revision", Low, Clean, "server loads whatever the repository holds now",
    why: "a repository may be changed, or taken over, and the next start loads something else",
    fix: "give the server the commit (`--revision`), or a model that was fetched and checked before",
    cwe: [494], atlas: ["AML.T0010.003"]);
rule!(UNVERIFIED_MODEL, "infra.unverified-model", Low, Clean, "model fetched and served unchecked",
    why: "nothing between the download and the server compares a signature or a digest",
    fix: "verify the signature in an init container, before the server starts",
    cwe: [345, 494], atlas: ["AML.T0010.003"]);
rule!(ROOT, "infra.root", Medium, Clean, "container runs as root",
    why: "a fault of the server or the engine then gives more than it must",
    fix: "set `runAsNonRoot: true` and `allowPrivilegeEscalation: false`; in an image, `USER`",
    cwe: [250], atlas: []);
rule!(SERVICE_ACCOUNT, "infra.service-account-token", Low, Clean, "model server holds a token of the cluster",
    why: "a server of models asks the cluster nothing; who takes it over could",
    fix: "set `automountServiceAccountToken: false`",
    cwe: [250], atlas: ["AML.T0055"]);
rule!(FETCHED_BUILD, "infra.fetched-build", Medium, Clean, "build runs or adds what it downloads unchecked",
    why: "whoever owns the address decides what is in the image",
    fix: "pin a version and compare its digest (`ADD --checksum=`, `sha256sum -c`)",
    cwe: [494], atlas: ["AML.T0010.001"]);
rule!(OPEN_NETWORK, "infra.open-network", High, Review, "firewall lets everyone in to a model server",
    why: "the port is that of a server that asks for no login",
    fix: "allow the addresses of the gateway only",
    cwe: [284, 668], atlas: ["AML.T0049", "AML.T0040"]);
rule!(PUBLIC_BUCKET, "infra.public-bucket", High, Review, "bucket open to everyone",
    why: "models and data can be taken, and where writing is allowed, changed",
    fix: "block public access; give readers roles",
    cwe: [284, 732], atlas: ["AML.T0035", "AML.T0020"]);
rule!(PUBLIC_ENDPOINT, "infra.public-endpoint", Medium, Review, "AI service reachable from the whole internet",
    why: "a key that leaks is then enough to use it, from anywhere",
    fix: "turn public network access off and use a private endpoint",
    cwe: [668], atlas: ["AML.T0040"]);

pub(crate) const RULES: &[&Rule] = &[
    &TOO_LARGE,
    &MALFORMED,
    &TEMPLATED,
    &EXPOSED,
    &LOGIN_OFF,
    &WRITABLE_MODEL,
    &NO_POLICY,
    &PRIVILEGED,
    &CAPABILITIES,
    &HOST_NAMESPACE,
    &SHARED_MEMORY,
    &HOST_PATH,
    &CONTAINER_SOCKET,
    &HOST_DRIVER,
    &NO_LIMITS,
    &PROVIDER_KEY,
    &UNPINNED_IMAGE,
    &REMOTE_CODE,
    &UNPINNED_MODEL,
    &UNVERIFIED_MODEL,
    &ROOT,
    &SERVICE_ACCOUNT,
    &FETCHED_BUILD,
    &OPEN_NETWORK,
    &PUBLIC_BUCKET,
    &PUBLIC_ENDPOINT,
];
