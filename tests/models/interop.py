"""Model signatures against the reference implementation, in both directions.

    python -m venv v && v/bin/pip install model-signing==1.1.1 pyOpenSSL PyKCS11
    cargo build --release -p bastide --features pkcs11
    v/bin/python tests/models/interop.py target/release/bastide

Each check is one signature made by one side and verified by the other, or one forgery that has to be refused. The
reference is driven through its Python interface, because its command line verifies SHA-256 by file only, and a few
times through the command line as well. Exits 0 when every check holds. The part for tokens runs where SoftHSM is
installed, and the other half of it where the reference's PKCS#11 module is.
"""

import base64
import contextlib
import datetime
import hashlib
import io
import json
import logging
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import model_signing
import sigstore.models
import sigstore.verify
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

CURVES = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
PEM = serialization.Encoding.PEM
SHARD = 1000
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"

failures = []
done = 0


def check(name, holds, detail=""):
    global done
    done += 1
    if not holds:
        failures.append(name)
        print(f"FAIL {name} {detail}".rstrip())


def bastide(*arguments):
    """Whether the program succeeds, and what it said."""
    run = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, check=False)
    # 3 where it cannot be done, such as a link that is not to be covered; 2 is for what was not meant.
    if run.returncode not in (0, 1, 3) and "pkcs12:" not in str(arguments):
        failures.append(f"exit code {run.returncode} of {arguments}")
    return run.returncode == 0, run.stderr.strip()


def reference(call):
    """Whether the reference succeeds, and what it said."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            call()
        return True, ""
    except Exception as error:  # its interface raises whatever its parts raise
        return False, f"{type(error).__name__}: {error}"


def edit(value, *path_and_new):
    """A copy in which what is at the path is another."""
    *path, last, new = path_and_new
    copy = json.loads(json.dumps(value))
    at = copy
    for step in path:
        at = at[step]
    at[last] = new
    return copy


def make_model(folder):
    """A folder with the names that signers have disagreed about."""
    model = folder / "model"
    files = {
        "tok.json": b"{}",
        "tok/a": b"a",
        "tok-b/x": b"b",
        "with space.txt": b"c",
        "ünïcødé/日本.bin": b"d",
        "empty": b"",
        "deep/er/still/file.bin": bytes(range(256)) * 17,
        ".hidden": b"e",
        ".gitattributes": b"ignored",
        ".git/config": b"ignored",
        "sub/.gitignore": b"not at the root",
        "big.bin": b"0123456789" * 500_000,
    }
    for name, content in files.items():
        path = model / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (model / "empty folder").mkdir()
    return model


def write_key(folder, name, curve, form=serialization.PrivateFormat.PKCS8):
    key = ec.generate_private_key(curve)
    private, public = folder / f"{name}.key", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(PEM, form, serialization.NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    return key, private, public


def write_certificate(path, name, key, issuer, issuer_key, ca, usage=True, purposes=(), authority=False):
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=ca or authority, path_length=None), critical=True)
    )
    if usage:
        bits = dict.fromkeys(
            ["content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"]
            + ["encipher_only", "decipher_only"],
            False,
        )
        builder = builder.add_extension(
            x509.KeyUsage(digital_signature=not ca, key_cert_sign=ca, **bits), critical=True
        )
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    certificate = builder.sign(issuer_key, hashes.SHA256())
    path.write_bytes(certificate.public_bytes(PEM))
    return certificate


def hashing(method, algorithm, ignored=()):
    """A configuration of the reference; its name for BLAKE2b is another one here than in signatures."""
    config = model_signing.hashing.Config()
    algorithm = {"blake2b": "blake2"}.get(algorithm, algorithm)
    if method == "files":
        config.use_file_serialization(hashing_algorithm=algorithm)
    else:
        config.use_shard_serialization(hashing_algorithm=algorithm, shard_size=SHARD * 1000)
    return config.set_ignored_paths(paths=list(ignored))


def reference_signs(model, signature, private, config):
    signing = model_signing.signing.Config().use_elliptic_key_signer(private_key=private)
    return reference(lambda: signing.set_hashing_config(config).sign(model, signature))


def reference_verifies(model, signature, public, config=None):
    verifying = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=public)
    if config is not None:
        verifying.set_hashing_config(config)
    return reference(lambda: verifying.verify(model, signature))


def keys(folder, model):
    """Every curve, method and hash, both ways, with the signature outside and inside the model."""
    methods = [("files", "sha256"), ("files", "blake2b"), ("files", "blake3"), ("shards", "sha256"), ("shards", "blake2b")]
    forms = {"pkcs8": serialization.PrivateFormat.PKCS8, "sec1": serialization.PrivateFormat.TraditionalOpenSSL}
    for curve_name, curve in CURVES.items():
        for form_name, form in forms.items():
            _, private, public = write_key(folder, curve_name, curve, form)
            for method, algorithm in methods:
                for where in [folder, model]:
                    name = f"{curve_name} {form_name} {method} {algorithm} in {where.name}"
                    signature = where / "model.sig"
                    flags = ["--hash", algorithm] + (["--shard-size", SHARD * 1000] if method == "shards" else [])
                    ok, said = bastide("sign", "--key", private, "--signature", signature, *flags, model)
                    check(f"ours signs: {name}", ok, said)
                    config = hashing(method, algorithm, ["model.sig"] if where == model else [])
                    check(f"ours -> reference: {name}", *reference_verifies(model, signature, public, config))
                    check(f"ours -> ours: {name}", *bastide("verify", "--public-key", public, "--signature", signature, model))
                    signature.unlink()
                    config = hashing(method, algorithm, ["model.sig"] if where == model else [])
                    check(f"reference signs: {name}", *reference_signs(model, signature, private, config))
                    check(f"reference -> ours: {name}", *bastide("verify", "--public-key", public, "--signature", signature, model))
                    signature.unlink()


def command_line(folder, model):
    """The reference's own program, which verifies SHA-256 by file."""
    program = pathlib.Path(sys.executable).parent / "model_signing"
    _, private, public = write_key(folder, "cli", CURVES["p384"])
    signature = folder / "cli.sig"

    def run(*arguments):
        made = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
        return made.returncode == 0, made.stdout + made.stderr

    check("program signs", *run("sign", "key", model, "--private_key", private, "--signature", signature))
    check("program -> ours", *bastide("verify", "--public-key", public, "--signature", signature, model))
    check("ours signs", *bastide("sign", "--key", private, "--signature", signature, model))
    check("ours -> program", *run("verify", "key", model, "--public_key", public, "--signature", signature))
    one = model / "big.bin"
    check("ours signs one file", *bastide("sign", "--key", private, "--signature", signature, one))
    check("ours -> program, one file", *run("verify", "key", one, "--public_key", public, "--signature", signature))
    check("program signs one file", *run("sign", "key", one, "--private_key", private, "--signature", signature))
    check("program -> ours, one file", *bastide("verify", "--public-key", public, "--signature", signature, one))
    os.symlink(one, model / "link.bin")
    ok, _ = bastide("sign", "--key", private, "--signature", signature, model)
    check("ours refuses links", not ok)
    check("ours signs links", *bastide("sign", "--allow-symlinks", "--key", private, "--signature", signature, model))
    check(
        "ours -> program, links",
        *run("verify", "key", model, "--allow_symlinks", "--public_key", public, "--signature", signature),
    )
    check("program signs links", *run("sign", "key", model, "--allow_symlinks", "--private_key", private, "--signature", signature))
    check("program -> ours, links", *bastide("verify", "--allow-symlinks", "--public-key", public, "--signature", signature, model))
    ok, _ = bastide("verify", "--public-key", public, "--signature", signature, model)
    check("ours refuses links that were signed unless allowed", not ok)
    (model / "link.bin").unlink()


def inside(folder, model):
    """Signatures that lie in the model's own folder, and files that nobody signed, by both programs."""
    program = pathlib.Path(sys.executable).parent / "model_signing"
    _, private, public = write_key(folder, "inside", CURVES["p256"])
    signature, unsigned = model / "sub/model.sig", model / "later.txt"
    signature.parent.mkdir(exist_ok=True)

    def theirs(*arguments):
        made = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
        return made.returncode == 0, made.stdout + made.stderr

    sign = {
        "ours": lambda: bastide("sign", "--key", private, "--signature", signature, model),
        "reference": lambda: theirs("sign", "key", model, "--private_key", private, "--signature", signature),
    }
    verify = {
        "ours": lambda *flags: bastide("verify", "--public-key", public, "--signature", signature, *flags, model),
        "reference": lambda *flags: theirs("verify", "key", model, "--public_key", public, "--signature", signature, *flags),
    }
    lenient = "--ignore_unsigned_files"
    for signer, signs in sign.items():
        check(f"{signer} signs into the model", *signs())
        names = [
            it["name"]
            for it in json.loads(base64.b64decode(json.loads(signature.read_text())["dsseEnvelope"]["payload"]))["predicate"]["resources"]
        ]
        check(f"{signer}'s own signature is not signed", "sub/model.sig" not in names, str(names))
        for verifier, verifies in verify.items():
            check(f"{signer} -> {verifier}, in the model", *verifies())
            unsigned.write_text("x")
            ok, _ = verifies()
            check(f"{signer} -> {verifier}, a file that nobody signed", not ok)
            check(f"{signer} -> {verifier}, the same let be", *verifies(lenient))
            unsigned.unlink()
        signature.unlink()


def encrypted(folder, model):
    """Private keys under a passphrase, as cryptography writes them."""
    passphrase = folder / "passphrase"
    passphrase.write_text("harmless\n")
    for curve_name, curve in CURVES.items():
        key, private, public = write_key(folder, "encrypted", curve)
        form = serialization.PrivateFormat.PKCS8
        private.write_bytes(key.private_bytes(PEM, form, serialization.BestAvailableEncryption(b"harmless")))
        signature = folder / "encrypted.sig"
        flags = ["--key", private, "--key-passphrase-file", passphrase, "--signature", signature]
        check(f"an encrypted key signs: {curve_name}", *bastide("sign", *flags, model))
        check(f"encrypted -> reference: {curve_name}", *reference_verifies(model, signature, public, hashing("files", "sha256")))


def revoked(folder, model):
    """Lists of revoked certificates, as cryptography writes them."""
    now = datetime.datetime.now(datetime.timezone.utc)
    top_key, top_path, leaf_path = rsa.generate_private_key(65537, 2048), folder / "top.pem", folder / "leaf.pem"
    key, private, _ = write_key(folder, "revoked", CURVES["p256"])
    top = write_certificate(top_path, "root", top_key, None, top_key, True, usage=False)
    leaf = write_certificate(leaf_path, "signer", key, top.subject, top_key, False)
    signature = folder / "revoked.sig"
    check("signs", *bastide("sign", "--key", private, "--certificate", leaf_path, "--signature", signature, model))

    def made(serial, days, issuer=top.subject, by=top_key):
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - datetime.timedelta(days=1))
        entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.key_compromise), critical=False).build()
        builder = x509.CertificateRevocationListBuilder().issuer_name(issuer).add_revoked_certificate(entry)
        builder = builder.last_update(now - datetime.timedelta(days=9)).next_update(now + datetime.timedelta(days=days))
        builder = builder.add_extension(x509.CRLNumber(1), critical=False)
        return builder.sign(by, hashes.SHA256())

    other = rsa.generate_private_key(65537, 2048)
    for name, (made_list, holds) in {
        "another is revoked": (made(leaf.serial_number + 1, 1), True),
        "it is revoked": (made(leaf.serial_number, 1), False),
        "stale": (made(leaf.serial_number + 1, -1), False),
        "by another key": (made(leaf.serial_number + 1, 1, by=other), False),
    }.items():
        for encoding in [PEM, serialization.Encoding.DER]:
            (folder / "list.crl").write_bytes(made_list.public_bytes(encoding))
            flags = ["--root", top_path, "--crl", folder / "list.crl", "--signature", signature]
            ok, said = bastide("verify", *flags, model)
            check(f"list: {name}", ok == holds, said)


def certificates(folder, model):
    """Chains of one and two authorities, with ECDSA and RSA, and certificates that may not sign."""
    code, server = x509.ExtendedKeyUsageOID.CODE_SIGNING, x509.ExtendedKeyUsageOID.SERVER_AUTH
    authorities = {"ecdsa": ec.generate_private_key(ec.SECP384R1()), "rsa": rsa.generate_private_key(65537, 2048)}
    for kind, top_key in authorities.items():
        top_path, middle_path, leaf_path = (folder / f"{kind}-{level}.pem" for level in ["top", "middle", "leaf"])
        top = write_certificate(top_path, f"{kind} root", top_key, None, top_key, True)
        middle_key = ec.generate_private_key(ec.SECP256R1())
        middle = write_certificate(middle_path, f"{kind} middle", middle_key, top.subject, top_key, True)
        other_path = folder / "other.pem"
        other_key = ec.generate_private_key(ec.SECP384R1())
        write_certificate(other_path, f"{kind} root", other_key, None, other_key, True)
        cases = {
            "usage": (True, (), True, True),
            "purpose": (False, (code,), True, True),
            "both": (True, (code,), True, True),
            "neither": (False, (), False, False),
            "server, no usage": (False, (server,), False, False),
            # The reference takes any certificate that may sign data; a web server's may, but not code.
            "server": (True, (server,), False, True),
            # A signer that could issue, as the reference's own instructions make them.
            "authority": (True, (code,), True, True),
        }
        for curve_name, curve in CURVES.items():
            key, private, public = write_key(folder, "certified", curve)
            for case, (usage, purposes, ours_takes, reference_takes) in cases.items():
                name = f"{kind} {curve_name} {case}"
                write_certificate(leaf_path, "signer", key, middle.subject, middle_key, False, usage, purposes, case == "authority")
                signature = folder / "certificate.sig"
                signs = ["--key", private, "--certificate", leaf_path, "--certificate-chain", middle_path]
                ok, said = bastide("sign", *signs, "--signature", signature, model)
                check(f"ours signs: {name}", ok == ours_takes, said)

                def verified_by_reference():
                    verifying = model_signing.verifying.Config()
                    verifying.use_certificate_verifier(certificate_chain=[top_path])
                    return reference(lambda: verifying.verify(model, signature))

                if ours_takes:
                    ok, said = verified_by_reference()
                    check(f"ours -> reference: {name}", ok == reference_takes, said)
                signing = model_signing.signing.Config().use_certificate_signer(
                    private_key=private, signing_certificate=leaf_path, certificate_chain=[middle_path]
                )
                check(f"reference signs: {name}", *reference(lambda: signing.sign(model, signature)))
                ok, said = bastide("verify", "--root", top_path, "--signature", signature, model)
                check(f"reference -> ours: {name}", ok == ours_takes, said)
                ok, _ = bastide("verify", "--root", other_path, "--signature", signature, model)
                check(f"another root: {name}", not ok)
                ok, _ = bastide("verify", "--public-key", public, "--signature", signature, model)
                check(f"a certificate's signature by key: {name}", not ok)


def tampered(folder, model):
    """Trees that are not what was signed, by either side."""
    _, private, public = write_key(folder, "tampered", CURVES["p256"])

    def changed(copy):
        (copy / "tok/a").write_bytes(b"b")

    def bit(copy):
        content = bytearray((copy / "big.bin").read_bytes())
        content[3_333_333] ^= 1
        (copy / "big.bin").write_bytes(content)

    def longer(copy):
        with (copy / "big.bin").open("ab") as file:
            file.write(b"\0")

    def swapped(copy):
        (copy / "tok.json").rename(copy / "x")
        (copy / ".hidden").rename(copy / "tok.json")
        (copy / "x").rename(copy / ".hidden")

    def linked(copy):
        (copy / "tok.json").rename(copy.parent / "elsewhere")
        os.symlink(copy.parent / "elsewhere", copy / "tok.json")

    changes = {
        "changed": changed,
        "one bit": bit,
        "longer": longer,
        "shorter": lambda copy: (copy / "big.bin").write_bytes(b""),
        "added": lambda copy: (copy / "new").write_bytes(b""),
        "added below": lambda copy: (copy / "tok/new").write_bytes(b"x"),
        "git below": lambda copy: (copy / "sub/.git").mkdir() or (copy / "sub/.git/hook").write_bytes(b"x"),
        "removed": lambda copy: (copy / "with space.txt").unlink(),
        "removed empty": lambda copy: (copy / "empty").unlink(),
        "renamed": lambda copy: (copy / "tok").rename(copy / "tik"),
        "swapped": swapped,
        "linked": linked,
    }
    harmless = {
        "nothing": lambda copy: None,
        "git": lambda copy: (copy / ".git/new").write_bytes(b"x"),
        "empty folder": lambda copy: (copy / "another").mkdir(),
    }
    for signer in ["ours", "reference"]:
        for method, algorithm in [("files", "sha256"), ("files", "blake3"), ("shards", "sha256")]:
            signature = folder / "tampered.sig"
            if signer == "ours":
                flags = ["--hash", algorithm] + (["--shard-size", SHARD * 1000] if method == "shards" else [])
                check("signs", *bastide("sign", "--key", private, "--signature", signature, *flags, model))
            else:
                check("signs", *reference_signs(model, signature, private, hashing(method, algorithm)))
            for change, apply in (changes | harmless).items():
                copy = folder / "copy"
                shutil.copytree(model, copy)
                apply(copy)
                ok, said = bastide("verify", "--public-key", public, "--signature", signature, copy)
                # Empty files have no shards, so the format does not cover them there; ours names them beside.
                unseen = signer == "reference" and method == "shards" and change in ("added", "removed empty")
                check(f"{signer}, {method} {algorithm}: {change}", ok == (change in harmless or unseen), said)
                shutil.rmtree(copy)


def forged(folder, model):
    """Bundles that somebody without the key, or with bad intent and the key, could write."""
    key, private, public = write_key(folder, "forged", CURVES["p256"])
    other_key, _, _ = write_key(folder, "other", CURVES["p256"])
    signature = folder / "forged.sig"
    check("signs", *bastide("sign", "--key", private, "--signature", signature, model))
    honest = json.loads(signature.read_text())
    payload = json.loads(base64.b64decode(honest["dsseEnvelope"]["payload"]))

    def resigned(statement, with_key=key, prefix=b"DSSEv1"):
        """A bundle whose signature holds over a statement that should not be believed."""
        raw = statement if isinstance(statement, bytes) else json.dumps(statement).encode()
        bundle = json.loads(json.dumps(honest))
        kind = b"application/vnd.in-toto+json"
        message = b"%s %d %s %d %s" % (prefix, len(kind), kind, len(raw), raw)
        bundle["dsseEnvelope"]["payload"] = base64.b64encode(raw).decode()
        made = with_key.sign(message, ec.ECDSA(hashes.SHA256()))
        bundle["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(made).decode()
        return bundle

    def with_root(statement):
        digests = b"".join(bytes.fromhex(it["digest"]) for it in statement["predicate"]["resources"])
        return edit(statement, "subject", 0, "digest", "sha256", hashlib.sha256(digests).hexdigest())

    resources = payload["predicate"]["resources"]
    envelope, material = honest["dsseEnvelope"], honest["verificationMaterial"]
    bundles = {
        "another key": resigned(payload, other_key),
        "another key without hint": edit(resigned(payload, other_key), "verificationMaterial", "publicKey", {}),
        "another hint": edit(honest, "verificationMaterial", "publicKey", "hint", "0" * 64),
        "another payload": edit(honest, "dsseEnvelope", "payload", base64.b64encode(b"{}").decode()),
        "two signatures": edit(honest, "dsseEnvelope", "signatures", envelope["signatures"] * 2),
        "no signature": edit(honest, "dsseEnvelope", "signatures", []),
        "empty signature": edit(honest, "dsseEnvelope", "signatures", 0, "sig", ""),
        "payload type": edit(honest, "dsseEnvelope", "payloadType", "application/json"),
        "media type": edit(honest, "mediaType", "application/vnd.dev.sigstore.bundle+json;version=0.2"),
        "two materials": edit(honest, "verificationMaterial", material | {"x509CertificateChain": {"certificates": []}}),
        "no material": edit(honest, "verificationMaterial", {"tlogEntries": []}),
        "old prefix": resigned(payload, prefix=b"DSSEV1"),
        "statement type": resigned(edit(payload, "_type", "https://in-toto.io/Statement/v0.1")),
        "predicate type": resigned(edit(payload, "predicateType", "https://slsa.dev/provenance/v1")),
        "wrong root": resigned(edit(payload, "subject", 0, "digest", "sha256", "0" * 64)),
        "two subjects": resigned(edit(payload, "subject", payload["subject"] * 2)),
        "no subject": resigned(edit(payload, "subject", [])),
        "twice": resigned(with_root(edit(payload, "predicate", "resources", resources + resources[:1]))),
        "no resources": resigned(with_root(edit(payload, "predicate", "resources", []))),
        "resource left out": resigned(with_root(edit(payload, "predicate", "resources", resources[1:]))),
        "ignore everything": resigned(
            with_root(edit(edit(payload, "predicate", "resources", []), "predicate", "serialization", "ignore_paths", ["."]))
        ),
        "hash name": resigned(edit(payload, "predicate", "serialization", "hash_type", "md5")),
        "resource hash": resigned(edit(payload, "predicate", "resources", 0, "algorithm", "blake3")),
        "method": resigned(edit(payload, "predicate", "serialization", "method", "tensors")),
        "not json": resigned(b"{"),
        "key twice": resigned(json.dumps(payload).replace('"subject":', '"subject": [], "subject":', 1).encode()),
    }
    for name in ["../x", "/etc/passwd", "a/../../x", "tok//a", "./tok/a", "", "a\0b", "a\\b"]:
        bundles[f"name {name!r}"] = resigned(edit(payload, "predicate", "resources", 0, "name", name))
    for name, bundle in bundles.items():
        signature.write_text(json.dumps(bundle))
        ok, said = bastide("verify", "--public-key", public, "--signature", signature, model)
        check(f"forged: {name}", not ok, said)
    for name, bundle in {
        "indented": json.dumps(honest, indent=2),
        "resigned": json.dumps(resigned(payload)),
        "no hint": json.dumps(edit(honest, "verificationMaterial", "publicKey", {"rawBytes": "AA==", "keyDetails": 5})),
        "unknown keys": json.dumps(honest | {"later": [1, {"a": None}]}),
        "null keyid": json.dumps(edit(honest, "dsseEnvelope", "signatures", 0, "keyid", None)),
        "another order": json.dumps(resigned(with_root(edit(payload, "predicate", "resources", resources[::-1])))),
    }.items():
        signature.write_text(bundle)
        check(f"honest: {name}", *bastide("verify", "--public-key", public, "--signature", signature, model))
        # The reference refuses keys that it does not know outside the statement; the statement's are to be ignored.
        if name != "unknown keys":
            check(f"honest, by the reference: {name}", *reference_verifies(model, signature, public, hashing("files", "sha256")))
    old = edit(payload, "predicateType", "https://model_signing/Digests/v0.1")
    old["subject"] = [{"name": it["name"], "digest": {"sha256": it["digest"]}} for it in resources]
    raw = json.dumps(old).encode()
    message = f"DSSEV1 28 application/vnd.in-toto+json {len(raw)} {raw}".encode()
    bundle = resigned(raw)
    made = base64.b64encode(key.sign(message, ec.ECDSA(hashes.SHA256()))).decode()
    signature.write_text(json.dumps(edit(bundle, "dsseEnvelope", "signatures", 0, "sig", made)))
    check("version 0.2", *bastide("verify", "--public-key", public, "--signature", signature, model))
    check("version 0.2, by the reference", *reference_verifies(model, signature, public, hashing("files", "sha256")))


def token(folder, model):
    """Keys in a token, where SoftHSM is installed."""
    if not pathlib.Path(SOFTHSM).exists() or not shutil.which("softhsm2-util"):
        print("skipped: no SoftHSM")
        return
    (folder / "tokens").mkdir()
    (folder / "softhsm.conf").write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm.conf")
    run = {"check": True, "capture_output": True}
    subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "bas tide", "--pin", "1234", "--so-pin", "5678"], **run)
    for number, (curve_name, curve) in enumerate(CURVES.items(), 1):
        key, private, public = write_key(folder, f"token-{curve_name}", curve)
        subprocess.run(
            ["softhsm2-util", "--import", private, "--token", "bas tide", "--label", curve_name, "--id", f"0{number}", "--pin", "1234"],
            **run,
        )
        pin = folder / "pin"
        pin.write_text("1234")
        uri = "pkcs11:token=bas%20tide;object={};id=%0{}?module-path={}&{}"
        signature = folder / "token.sig"
        for secret in ["pin-value=1234", f"pin-source=file:{pin}"]:
            good = uri.format(curve_name, number, SOFTHSM, secret)
            ok, said = bastide("sign", "--pkcs11-uri", good, "--signature", signature, model)
            check(f"token signs: {curve_name} {secret}", ok, said)
            check(f"token -> reference: {curve_name}", *reference_verifies(model, signature, public, hashing("files", "sha256")))
            check(f"token -> ours: {curve_name}", *bastide("verify", "--public-key", public, "--signature", signature, model))
        for name, (bad, told) in {
            "pin": (uri.format(curve_name, number, SOFTHSM, "pin-value=4321"), "the PIN is not that of the token `bas tide`"),
            "no pin": (uri.format(curve_name, number, SOFTHSM, "")[:-1], "`--pkcs11-pin-file FILE`"),
            "token": (uri.format(curve_name, number, SOFTHSM, "").replace("bas%20tide", "bastide")[:-1], "one token, `bas tide`"),
            "label": (uri.format("nobody", number, SOFTHSM, "pin-value=1234"), f"`{curve_name}`"),
            "id": (uri.format(curve_name, 9, SOFTHSM, "pin-value=1234"), "has no private key"),
            "module": (uri.format(curve_name, number, "/nowhere.so", "pin-value=1234"), "`module-path`"),
            "prefix": ("pkcs12:object=a", "`pkcs11:`"),
        }.items():
            ok, said = bastide("sign", "--pkcs11-uri", bad, "--signature", signature, model)
            check(f"token, wrong {name}: {curve_name}", not ok and told in said and "1234" not in said, said)
        for given in [["--pkcs11-pin-file", pin], []]:
            os.environ["BASTIDE_PKCS11_PIN"] = "4321" if given else "1234"
            flags = ["--pkcs11-uri", uri.format(curve_name, number, SOFTHSM, "")[:-1], *given, "--signature", signature]
            check(f"token signs with a PIN from elsewhere: {curve_name}", *bastide("sign", *flags, model))
            del os.environ["BASTIDE_PKCS11_PIN"]
        top_key, top_path, leaf_path = ec.generate_private_key(CURVES["p384"]), folder / "top.pem", folder / "leaf.pem"
        top = write_certificate(top_path, "root", top_key, None, top_key, True)
        write_certificate(leaf_path, "signer", key, top.subject, top_key, False)
        good = uri.format(curve_name, number, SOFTHSM, "pin-value=1234")
        ok, said = bastide("sign", "--pkcs11-uri", good, "--certificate", leaf_path, "--signature", signature, model)
        check(f"token signs with a certificate: {curve_name}", ok, said)
        verifying = model_signing.verifying.Config().use_certificate_verifier(certificate_chain=[top_path])
        check(f"token's certificate -> reference: {curve_name}", *reference(lambda: verifying.verify(model, signature)))
        check(f"token's certificate -> ours: {curve_name}", *bastide("verify", "--root", top_path, "--signature", signature, model))
        try:
            import PyKCS11  # noqa: F401
        except ImportError:
            print("skipped: the reference's PKCS#11 module is not installed")
            continue
        # A process of its own each time: the reference does not expect to be logged in already.
        program = pathlib.Path(sys.executable).parent / "model_signing"
        good = uri.format(curve_name, number, SOFTHSM, "pin-value=1234")
        made = subprocess.run(
            [program, "sign", "pkcs11-key", model, "--pkcs11_uri", good, "--signature", signature],
            capture_output=True, text=True, check=False,
        )
        check(f"reference signs with the token: {curve_name}", made.returncode == 0, made.stdout + made.stderr)
        check(f"reference's token -> ours: {curve_name}", *bastide("verify", "--public-key", public, "--signature", signature, model))


RECORDED = pathlib.Path(__file__).resolve().parents[2] / "crates/bastide-signing/tests/sigstore"
KEYLESS = ("stefanb@us.ibm.com", "https://sigstore.verify.ibm.com/oauth2")


def keyless(folder, _model):
    """Recorded keyless signatures, whole and touched, against the library of Sigstore that the reference uses."""
    model = folder / "signed"
    model.mkdir()
    for name in ("signme-1", "signme-2"):
        (model / name).write_text(name)
    root = RECORDED / "trusted_root.json"
    verifier = sigstore.verify.Verifier(trusted_root=sigstore.models.TrustedRoot.from_file(str(root)))
    old, new = ((RECORDED / f"{name}-sigstore.sig").read_text() for name in ("v0.3.1", "v1.1.0"))

    def compare(name, text, holds, identity=KEYLESS[0], provider=KEYLESS[1]):
        signature = folder / "keyless.sig"
        signature.write_text(text)
        named = ["--trust-root", root, "--identity", identity, "--identity-provider", provider]
        ours, said = bastide("verify", *named, "--signature", signature, model)

        def theirs():
            policy = sigstore.verify.policy.Identity(identity=identity, issuer=provider)
            verifier.verify_dsse(sigstore.models.Bundle.from_json(text), policy)

        taken, why = reference(theirs)
        check(f"keyless, ours: {name}", ours == holds, said)
        check(f"keyless, reference: {name}", taken == holds, why)

    compare("0.3.1", old, True)
    compare("1.1.0", new, True)
    compare("another identity", new, False, identity="stefan@us.ibm.com")
    compare("another provider", new, False, provider="https://accounts.google.com")
    one, other = json.loads(new), json.loads(old)
    entry = ("verificationMaterial", "tlogEntries", 0)
    proof = (*entry, "inclusionProof")
    note = (*proof, "checkpoint", "envelope")
    checkpoint = one["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["checkpoint"]["envelope"]
    their_entry = other["verificationMaterial"]["tlogEntries"][0]
    touched = {
        "another time": edit(one, *entry, "integratedTime", "1760062341"),
        "another index": edit(one, *entry, "logIndex", "598151087"),
        "another place": edit(one, *proof, "logIndex", "476246823"),
        "no path": edit(one, *proof, "hashes", []),
        "another proof": edit(one, *proof, their_entry["inclusionProof"]),
        "another promise": edit(one, *entry, "inclusionPromise", their_entry["inclusionPromise"]),
        "another size": edit(one, *note, checkpoint.replace("476246825", "476246826")),
        "another entry": edit(one, *entry, their_entry),
        "another body": edit(one, *entry, "canonicalizedBody", their_entry["canonicalizedBody"]),
        "another certificate": edit(one, "verificationMaterial", "certificate", other["verificationMaterial"]["certificate"]),
        "another payload": edit(one, "dsseEnvelope", "payload", other["dsseEnvelope"]["payload"]),
        "another envelope": edit(one, "dsseEnvelope", other["dsseEnvelope"]),
        "no entry": edit(one, "verificationMaterial", "tlogEntries", []),
    }
    for name, bundle in touched.items():
        compare(name, json.dumps(bundle), False)


def main():
    logging.disable(logging.WARNING)
    for part in [keys, command_line, inside, encrypted, certificates, revoked, tampered, forged, keyless, token]:
        before = done
        with tempfile.TemporaryDirectory(prefix="interop-") as name:
            folder = pathlib.Path(name)
            part(folder, make_model(folder))
        print(f"{part.__name__}: {done - before} checks")
    print(f"{done} checks, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    PROGRAM = str(pathlib.Path(sys.argv[1]).resolve())
    sys.exit(main())
