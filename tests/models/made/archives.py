"""Compressed streams, zip, tar and 7z, and what PyTorch, joblib, numpy, NeMo and TorchServe keep in them."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib

from .opcodes import MARKER, Raw, call, exploit, name, text, value, whole
from .sample import bad, good, risky, unfinished

DATE = (1980, 1, 1, 0, 0, 0)
HONEST = pickle.dumps({"weights": [0.5] * 20, "name": "model"}, 2)


def zipped(entries, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for key, data in entries:
            info = key if isinstance(key, zipfile.ZipInfo) else zipfile.ZipInfo(key, DATE)
            info.compress_type = method
            archive.writestr(info, data)
    return file.getvalue()


def tarred(entries, mode="w"):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode, format=tarfile.PAX_FORMAT) as archive:
        for key, data in entries:
            info = key if isinstance(key, tarfile.TarInfo) else tarfile.TarInfo(key)
            info.size = len(data) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return file.getvalue()


def member(key, kind, target="", mode=0o644):
    info = tarfile.TarInfo(key)
    info.type, info.linkname, info.mode = kind, target, mode
    return info


def lz4_frame(data):
    """One frame of uncompressed blocks without checksums."""
    header = bytes([0x60, 0x70])  # Version 1, independent blocks; blocks of at most 4 MiB.
    blocks = struct.pack("<I", len(data) | 0x80000000) + data
    return b"\x04\x22\x4d\x18" + header + bytes([xxh32(header) >> 8 & 0xFF]) + blocks + bytes(4)


def xxh32(data):
    """XXH32 of at most 15 bytes, seed 0."""
    mask, accumulator = 0xFFFFFFFF, (374761393 + len(data)) & 0xFFFFFFFF
    while len(data) >= 4:
        accumulator = accumulator + int.from_bytes(data[:4], "little") * 3266489917 & mask
        accumulator = ((accumulator << 17 | accumulator >> 15) & mask) * 668265263 & mask
        data = data[4:]
    for byte in data:
        accumulator = accumulator + byte * 374761393 & mask
        accumulator = ((accumulator << 11 | accumulator >> 21) & mask) * 2654435761 & mask
    accumulator = (accumulator ^ accumulator >> 15) * 2246822519 & mask
    accumulator = (accumulator ^ accumulator >> 13) * 3266489917 & mask
    return accumulator ^ accumulator >> 16


def zstd_frame(data):
    """One frame of raw blocks."""
    blocks = b""
    for start in range(0, max(len(data), 1), 65536):
        part = data[start : start + 65536]
        blocks += struct.pack("<I", len(part) << 3 | (start + 65536 >= len(data)))[:3] + part
    return b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(data)) + blocks


CODECS = {
    "gz": lambda data: gzip.compress(data, mtime=0),
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
    "z": zlib.compress,
    "lz4": lz4_frame,
    "zst": zstd_frame,
}
FORMATS = {"gz": "gzip", "bz2": "bzip2", "z": "zlib", "zst": "zstd"}


def torch_entries(pickled, root="archive"):
    return [
        (f"{root}/data.pkl", pickled),
        (f"{root}/byteorder", b"little"),
        (f"{root}/data/0", bytes(16)),
        (f"{root}/version", b"3\n"),
    ]


def state_dict(old=False):
    """One tensor; the old layout names a view with every storage."""
    view = (None,) if old else ()
    storage = Raw(value(("storage", Raw(name("torch", "FloatStorage", 2)), "0", "cpu", 4, *view), 2) + b"Q")
    tensor = Raw(
        call(
            "torch._utils",
            "_rebuild_tensor_v2",
            storage,
            0,
            (2, 2),
            (2, 1),
            False,
            Raw(call("collections", "OrderedDict", protocol=2)),
            protocol=2,
        )
    )
    return whole(call("collections", "OrderedDict", protocol=2) + text("weight", 2) + tensor.code + b"s", 2)


def legacy(structure, trailing=b""):
    magic = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
    system = pickle.dumps(
        {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}, 2
    )
    return magic + b"\x80\x02M\xe9\x03." + system + structure + pickle.dumps(["0"], 2) + trailing


def compressed():
    for suffix, encode in CODECS.items():
        kind = FORMATS.get(suffix, suffix)
        bad(f"compressed/exploit.pkl.{suffix}", encode(exploit(2)), kind, "B24", "a compressed pickle")
        bad(
            f"compressed/exploit_{suffix}.joblib",
            encode(exploit(4, "subprocess", "getoutput")),
            kind,
            "B24",
            "as joblib compresses",
        )
        good(f"compressed/ok.pkl.{suffix}", encode(HONEST), kind)
        good(f"compressed/ok_{suffix}.joblib", encode(HONEST), kind)
    bad("compressed/twice.pkl.gz", CODECS["gz"](CODECS["bz2"](exploit(2))), "gzip", "B24", "compressed twice")
    bad(
        "compressed/two_members.pkl.gz",
        CODECS["gz"](b"") + CODECS["gz"](exploit(2)),
        "gzip",
        "B24",
        "the second member of the stream",
    )
    bad("compressed/two_frames.zst", zstd_frame(HONEST) + zstd_frame(exploit(2)), "zstd", "B24")
    bad(
        "compressed/skippable.zst",
        b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd" + zstd_frame(exploit(2)),
        "zstd",
        "B24",
        "behind a skippable frame",
    )
    bad("compressed/named_wrong.pkl", CODECS["xz"](exploit(2)), "xz", "B14")
    bad(
        "compressed/bomb.pkl.gz",
        CODECS["gz"](CODECS["gz"](CODECS["gz"](bytes(200_000_000)))),
        "gzip",
        "B25",
        "200 MB of zeros in three layers",
    )
    bad(
        "compressed/cut.pkl.gz",
        CODECS["gz"](exploit(2) + bytes(range(256)) * 40)[:-60],
        "gzip",
        "B9",
        "cut behind the exploit",
    )
    bad(
        "joblib/array_then_exploit.joblib",
        joblib_array() + exploit(2),
        "joblib",
        "B9",
        "a stream behind raw array bytes",
    )
    bad(
        "joblib/object_array.joblib",
        joblib_array(b"\x80\x02" + call("os", "system", MARKER, protocol=2) + b".", "O"),
        "joblib",
        "B21",
        "an array of objects: a pickle in a pickle",
    )
    good("joblib/ok_array.joblib", joblib_array(), "joblib")
    bad(
        "joblib/memmap_mode.joblib",
        whole(
            name("joblib.numpy_pickle", "NDArrayWrapper")
            + b")\x81"
            + value({"filename": "../../etc/passwd", "subclass": None})
            + b"b"
        ),
        "joblib",
        "B19",
        "old layout with a path outside",
    )


def joblib_array(raw=None, kind="f8"):
    """joblib's layout: after the BUILD of the wrapper, the array's bytes, then the pickle goes on."""
    wrapper = (
        name("joblib.numpy_pickle", "NumpyArrayWrapper")
        + b")\x81"
        + value(
            {
                "subclass": Raw(name("numpy", "ndarray")),
                "shape": (4,),
                "order": "C",
                "dtype": Raw(call("numpy", "dtype", kind, False, True)),
                "allow_mmap": kind != "O",
                "numpy_array_alignment_bytes": 16,
            }
        )
        + b"b"
    )
    prefix = b"\x80\x04" + wrapper
    if raw is not None:
        return prefix + raw + b"."
    pad = 16 - (len(prefix) + 1) % 16
    return prefix + bytes([pad]) + b"\xff" * pad + struct.pack("<4d", 1, 2, 3, 4) + b"."


def torch_files():
    bad("torch/exploit.pt", zipped(torch_entries(exploit(2))), "torch-zip", "B24")
    bad(
        "torch/exploit_nested.pth",
        zipped(
            torch_entries(whole(b"}" + text("state", 2) + call("os", "system", MARKER, protocol=2) + b"s", 2))
        ),
        "torch-zip",
        "B24",
    )
    bad(
        "torch/exploit_deflated.bin",
        zipped(torch_entries(exploit(2)), zipfile.ZIP_DEFLATED),
        "torch-zip",
        "B24",
    )
    bad(
        "torch/second_pickle.pt",
        zipped(torch_entries(state_dict()) + [("archive/extra.pkl", exploit(2))]),
        "torch-zip",
        "B16",
    )
    bad(
        "torch/odd_name.pt",
        zipped(torch_entries(state_dict()) + [("archive/data/1", exploit(2))]),
        "torch-zip",
        "B14",
        "a stream posing as a storage",
    )
    bad(
        "torch/constants.pt",
        zipped(torch_entries(state_dict()) + [("archive/constants.pkl", exploit(2))]),
        "torchscript",
        "B24",
    )
    bad(
        "torch/extra_dir_first.pt",
        zipped([("other/data.pkl", exploit(2))] + torch_entries(state_dict())),
        "torch-zip",
        "B15",
        "two roots",
    )
    bad("torch/legacy.pt", legacy(exploit(2)), "torch-legacy", "B24")
    bad("torch/legacy_tail.pt", legacy(state_dict(old=True), bytes(8)) + exploit(2), "torch-legacy", "B9")
    bad(
        "torch/tar.pt",
        tarred([("storages", pickle.dumps(0, 2)), ("tensors", pickle.dumps(0, 2)), ("pickle", exploit(2))]),
        "torch-tar",
        "B24",
    )
    bad(
        "torch/tar_storages.pt",
        tarred([("storages", exploit(2)), ("tensors", pickle.dumps(0, 2)), ("pickle", HONEST)]),
        "torch-tar",
        "B24",
    )
    bad(
        "torch/prepended.pt",
        exploit(2) + zipped(torch_entries(state_dict())),
        "torch-zip",
        "B15",
        "a pickle before the archive",
    )
    bad(
        "torch/appended.pt",
        zipped(torch_entries(state_dict())) + exploit(2),
        "torch-zip",
        "B15",
        "a pickle behind the end record",
    )
    source = b"class Model(Module):\n  __parameters__ = []\n  def forward(self: __torch__.Model, x: Tensor) -> Tensor:\n    %s\n    return x\n"
    for label, body in (
        ("from_file", b'_0 = torch.from_file("/etc/hostname", False, 10)'),
        ("save", b'ops.prim.save(x, "/tmp/m")'),
        ("print_import", b'_0 = __import__("os").system("echo")'),
        ("rpc", b'_0 = torch.rpc_async("w", "os.system")'),
        ("exec", b'exec("import os")'),
        ("custom", b'_0 = ops.evil.run("echo")'),
    ):
        add = risky if label == "custom" else bad
        add(
            f"torch/script_{label}.pt",
            zipped(
                torch_entries(state_dict())
                + [("archive/code/__torch__.py", source % body), ("archive/constants.pkl", b"\x80\x02).")]
            ),
            "torchscript",
            "B24",
        )
    good(
        "torch/ok_script.pt",
        zipped(
            torch_entries(state_dict())
            + [
                ("archive/code/__torch__.py", source % b"_0 = torch.add(x, x)"),
                ("archive/constants.pkl", b"\x80\x02)."),
            ]
        ),
        "torchscript",
    )
    good("torch/ok.pt", zipped(torch_entries(state_dict())), "torch-zip")
    good("torch/ok_named.bin", zipped(torch_entries(state_dict(), "pytorch_model")), "torch-zip")
    good(
        "torch/ok_legacy.pt", legacy(state_dict(old=True), struct.pack("<Q4f", 4, 1, 2, 3, 4)), "torch-legacy"
    )
    good(
        "torch/ok_tar.pt",
        tarred([("storages", pickle.dumps(0, 2)), ("tensors", pickle.dumps(0, 2)), ("pickle", HONEST)]),
        "torch-tar",
    )
    pt2 = [
        ("model/archive_format", b"pt2"),
        ("model/archive_version", b"0"),
        ("model/byteorder", b"little"),
        (
            "model/models/model.json",
            b'{"graph_module": {"graph": {"inputs": [], "outputs": [], "nodes": [{"target": "torch.ops.aten.add.Tensor", "inputs": []}]}}, "schema_version": {"major": 8}}',
        ),
    ]
    bad(
        "torch/exploit.pt2",
        zipped(pt2 + [("model/data/sample_inputs/model.pt", zipped(torch_entries(exploit(2))))]),
        "pt2",
        "B21",
    )
    bad(
        "torch/target.pt2",
        zipped(
            pt2[:-1]
            + [("model/models/model.json", pt2[-1][1].replace(b"torch.ops.aten.add.Tensor", b"os.system"))]
        ),
        "pt2",
        "B24",
    )
    good(
        "torch/ok.pt2",
        zipped(pt2 + [("model/data/sample_inputs/model.pt", zipped(torch_entries(state_dict())))]),
        "pt2",
    )
    manifest = {
        "createdOn": "01/01/2024",
        "runtime": "python",
        "model": {
            "modelName": "m",
            "serializedFile": "m.pt",
            "handler": "image_classifier",
            "modelVersion": "1.0",
        },
        "archiverVersion": "0.9",
    }
    mar = [("MAR-INF/MANIFEST.json", json.dumps(manifest).encode())]
    bad("torch/exploit.mar", zipped(mar + [("m.pt", zipped(torch_entries(exploit(2))))]), "mar", "B24")
    bad(
        "torch/handler.mar",
        zipped(
            [
                (
                    "MAR-INF/MANIFEST.json",
                    json.dumps(manifest | {"model": manifest["model"] | {"handler": "handler.py"}}).encode(),
                ),
                ("m.pt", zipped(torch_entries(state_dict()))),
                (
                    "handler.py",
                    b"import os\nos.system('echo marker | sh')\ndef handle(data, context):\n    return data\n",
                ),
            ]
        ),
        "mar",
        "B24",
    )
    bad(
        "torch/requirements.mar",
        zipped(
            mar + [("m.pt", zipped(torch_entries(state_dict()))), ("../../evil.py", b"print('marker')\n")]
        ),
        "mar",
        "B24",
        "a path outside",
    )
    good(
        "torch/ok.mar",
        zipped(
            mar + [("m.pt", zipped(torch_entries(state_dict()))), ("index_to_name.json", b'{"0": "cat"}')]
        ),
        "mar",
    )
    bad("torch/exploit.npz", zipped([("arr_0.npy", npy("|O", (1,), exploit(3)))]), "npz", "B24")


def npy(descr, shape, data, header=None, version=1):
    text_ = header or repr({"descr": descr, "fortran_order": False, "shape": shape})
    raw = text_.encode()
    size = 2 if version == 1 else 4
    raw += b" " * (-(8 + size + len(raw) + 1) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + len(raw).to_bytes(size, "little") + raw + data


def numpy_files():
    for label, descr in (
        ("name", "object"),
        ("name_underscore", "object_"),
        ("comma", "f4, O"),
        ("times", "2O"),
        ("field_list", [["a", "O"]]),
    ):
        bad(f"numpy/object_{label}.npy", npy(descr, (1,), exploit(3)), "numpy", "B24")
    good("numpy/ok_name.npy", npy("float64", (1,), bytes(8)), "numpy")
    bad("numpy/object.npy", npy("|O", (1,), exploit(3)), "numpy", "B24", "CVE-2019-6446")
    bad("numpy/object_p4.npy", npy("|O", (2, 2), exploit(4, "builtins", "exec")), "numpy", "B24")
    bad(
        "numpy/object_field.npy",
        npy([("a", "<i4"), ("b", "|O")], (1,), exploit(3)),
        "numpy",
        "B24",
        "one field of a record",
    )
    bad(
        "numpy/header_call.npy",
        npy(
            "",
            (),
            bytes(8),
            "{'descr': __import__('os').system('echo'), 'fortran_order': False, 'shape': (1,), }",
        ),
        "numpy",
        "B24",
    )
    bad(
        "numpy/header_lambda.npy",
        npy("", (), bytes(8), "(lambda: {'descr': '<f8', 'fortran_order': False, 'shape': (1,)})()"),
        "numpy",
        "B24",
    )
    bad(
        "numpy/header_huge_power.npy",
        npy("", (), bytes(8), "{'descr': '<f8', 'fortran_order': False, 'shape': (9**9**9,), }"),
        "numpy",
        "B25",
    )
    bad("numpy/shape_huge.npy", npy("<f8", (1 << 60,), bytes(8)), "numpy", "B25")
    bad("numpy/shape_overflow.npy", npy("<f8", (1 << 32, 1 << 32), bytes(8)), "numpy", "B25")
    bad("numpy/shape_negative.npy", npy("<f8", (-1,), bytes(8)), "numpy", "B25")
    bad(
        "numpy/header_deep.npy",
        npy("", (), bytes(8), "(" * 3000 + ")" * 3000, 2),
        "numpy",
        "B25",
        "nested beyond a parser's stack",
    )
    bad("numpy/trailing_exploit.npy", npy("<f8", (1,), bytes(8)) + exploit(2), "numpy", "B9")
    bad("numpy/version3.npy", npy("|O", (1,), exploit(3), version=3), "numpy", "B24")
    bad(
        "numpy/named_member.npz",
        zipped([("a.npy", npy("<f8", (1,), bytes(8))), ("b.pkl", exploit(2))]),
        "npz",
        "B24",
    )
    bad(
        "numpy/deflated.npz",
        zipped([("a.npy", npy("|O", (1,), exploit(3)))], zipfile.ZIP_DEFLATED),
        "npz",
        "B24",
    )
    for descr, size in (
        ("<f8", 8),
        ("<f4", 4),
        (">i4", 4),
        ("|u1", 1),
        ("<U3", 12),
        ("|S5", 5),
        ("<c16", 16),
        ("<M8[D]", 8),
        ("|b1", 1),
        ("<f2", 2),
    ):
        good(
            f"numpy/ok_{descr.strip('<>|').replace('[', '_').strip(']')}.npy",
            npy(descr, (3,), bytes(3 * size)),
            "numpy",
        )
    good("numpy/ok_record.npy", npy([("a", "<i4"), ("b", "<f8", (2,))], (2,), bytes(40)), "numpy")
    good("numpy/ok_scalar.npy", npy("<f8", (), bytes(8)), "numpy")
    good("numpy/ok_empty.npy", npy("<f8", (0, 3), b""), "numpy")
    good("numpy/ok_v2.npy", npy("<f8", (1,), bytes(8), version=2), "numpy")
    good(
        "numpy/ok.npz",
        zipped([("a.npy", npy("<f8", (1,), bytes(8))), ("b.npy", npy("<i8", (2,), bytes(16)))]),
        "npz",
    )
    good(
        "numpy/ok_object.npy",
        npy("|O", (2,), pickle.dumps(["a", 1], 3)),
        "numpy",
        "an array of plain objects",
    )
    good(
        "numpy/ok_header_python2.npy",
        npy("", (), bytes(8), "{'descr': '<f8', 'fortran_order': False, 'shape': (1L,), }"),
        "numpy",
        "as numpy wrote on Python 2",
    )


def patched(data, offset_of, change):
    """The archive with bytes changed at the place that `offset_of` finds."""
    at = offset_of(data)
    return data[:at] + change + data[at + len(change) :]


def zip_files():
    b = bad
    plain = torch_entries(exploit(2))
    whole_zip = zipped(plain)
    central = whole_zip.index(b"PK\x01\x02")
    b(
        "zip/flag_encrypted.pt",
        patched(patched(whole_zip, lambda d: central + 8, b"\x01\x00"), lambda d: 6, b"\x01\x00"),
        "zip",
        "B15",
        "the encryption bit on plain data",
    )
    b("zip/flag_encrypted_local.pt", patched(whole_zip, lambda d: 6, b"\x01\x00"), "zip", "B15")
    b(
        "zip/crc_wrong.pt",
        patched(patched(whole_zip, lambda d: central + 16, b"\0\0\0\0"), lambda d: 14, b"\0\0\0\0"),
        "zip",
        "B15",
        "CVE-2025-10156",
    )
    honest = zipped(torch_entries(state_dict()))
    b(
        "zip/local_name.pt",
        patched(whole_zip, lambda d: 30, b"archive/data.txt"),
        "zip",
        "B15",
        "the local header has another name",
    )
    b(
        "zip/central_name.pt",
        patched(whole_zip, lambda d: central + 46, b"archive/data.txt"),
        "zip",
        "B15",
        "CVE-2025-1944",
    )
    b(
        "zip/method_unknown.pt",
        patched(whole_zip, lambda d: central + 10, b"\x63\x00"),
        "zip",
        "B15",
        "an unknown method for plain data",
    )
    b("zip/sizes_differ.pt", patched(whole_zip, lambda d: central + 24, struct.pack("<I", 4)), "zip", "B15")
    hidden = exploit(2)
    extra = (
        honest[: honest.index(b"PK\x01\x02")]
        + struct.pack(
            "<4sHHHHHIIIHH",
            b"PK\x03\x04",
            20,
            0,
            0,
            0,
            33,
            zlib.crc32(hidden),
            len(hidden),
            len(hidden),
            16,
            0,
        )
        + b"archive/data.pkl"
        + hidden
    )
    rest = honest[honest.index(b"PK\x01\x02") :]
    b(
        "zip/not_in_directory.pt",
        extra + rest[:-6] + struct.pack("<IH", len(extra), 0),
        "zip",
        "B15",
        "an entry that the directory does not name",
    )
    b("zip/duplicate.pt", duplicate(), "zip", "B15", "two entries with one name")
    b("zip/comment.pt", with_comment(honest, exploit(2)), "zip", "B15", "a stream in the comment")
    b("zip/two_archives.pt", whole_zip + honest, "zip", "B15", "another archive before the last one")
    b(
        "zip/between.pt",
        between(honest, exploit(2)),
        "zip",
        "B15",
        "bytes between the entries and the directory",
    )
    for label, path in (
        ("up", "../../evil.py"),
        ("absolute", "/etc/cron.d/evil"),
        ("backslash", "..\\..\\evil.py"),
        ("drive", "C:\\evil.py"),
        ("mixed", "a/../../evil"),
        ("unc", "\\\\host\\share\\x"),
        ("dots", "./../x"),
        ("percent_free", "a/b/../../../x"),
    ):
        b(f"zip/slip_{label}.zip", zipped([("model.txt", b"x"), (path, b"print('marker')")]), "zip", "slip")
    link = zipfile.ZipInfo("link", DATE)
    link.create_system, link.external_attr = 3, 0o120777 << 16
    b("zip/symlink.zip", zipped([(link, b"/etc/passwd")]), "zip", "slip")
    link_up = zipfile.ZipInfo("data", DATE)
    link_up.create_system, link_up.external_attr = 3, 0o120777 << 16
    b("zip/symlink_then_file.zip", zipped([(link_up, b"../.."), ("data/evil.py", b"x")]), "zip", "slip")
    b(
        "zip/bomb.zip",
        zipped([(f"{i}", bytes(100_000_000)) for i in range(5)], zipfile.ZIP_DEFLATED),
        "zip",
        "B25",
        "1000 to 1",
    )
    b(
        "zip/bomb_nested.zip",
        zipped(
            [
                (
                    "inner.zip",
                    zipped(
                        [("z", zipped([("z", bytes(60_000_000))], zipfile.ZIP_DEFLATED))],
                        zipfile.ZIP_DEFLATED,
                    ),
                )
            ],
            zipfile.ZIP_DEFLATED,
        ),
        "zip",
        "B25",
    )
    b("zip/bomb_overlap.zip", overlapping(), "zip", "B25", "a hundred entries over the same bytes")
    deep = exploit(2)
    for _ in range(5):
        deep = zipped([("inner.zip", deep)])
    b("zip/nested_exploit.zip", deep, "zip", "B24")
    b(
        "zip/gz_tar.zip",
        zipped([("model.tar.gz", CODECS["gz"](tarred([("w.pkl", exploit(2))])))]),
        "zip",
        "B24",
        "zip, gzip, tar, pickle",
    )
    b(
        "zip/exploit_member.zip",
        zipped([("readme.md", b"# model"), ("weights/model.pkl", exploit(4))]),
        "zip",
        "B24",
    )
    b(
        "zip/exploit_member.bin",
        zipped([("data", exploit(4))], zipfile.ZIP_BZIP2),
        "zip",
        "B24",
        "bzip2 inside the archive",
    )
    b("zip/exploit_lzma.zip", zipped([("data.pkl", exploit(4))], zipfile.ZIP_LZMA), "zip", "B24")
    b("zip/spanned_marker.zip", b"PK\x07\x08" + zipped([("data.pkl", exploit(4))]), "zip", "B15")
    b("zip/zip64.pt", zip64(), "zip", "B15", "sizes only in the zip64 field")
    good(
        "zip/ok.zip",
        zipped(
            [("config.json", b'{"password_field": "none"}'), ("weights.bin", bytes(range(256)))],
            zipfile.ZIP_DEFLATED,
        ),
        "zip",
    )
    good("zip/ok_nested.zip", zipped([("a/inner.zip", zipped([("x.txt", b"hello")]))]), "zip")
    good("zip/ok_comment.zip", with_comment(zipped([("x.txt", b"x")]), b"made for tests"), "zip")
    good(
        "zip/ok_folder.zip",
        zipped([("a/", b""), ("a/b.txt", b"x"), ("a/..b/c.txt", b"dots in a name")]),
        "zip",
    )
    good("zip/ok_empty.zip", zipped([]), "zip")
    good(
        "zip/ok_self_extract_free.zip",
        zipped([(f"{i}.txt", b"line\n" * i) for i in range(200)], zipfile.ZIP_DEFLATED),
        "zip",
    )


def duplicate():
    file = io.BytesIO()
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(file, "w") as archive:
            for data in (state_dict(), exploit(2)):
                archive.writestr(zipfile.ZipInfo("archive/data.pkl", DATE), data)
            archive.writestr(zipfile.ZipInfo("archive/version", DATE), b"3\n")
    return file.getvalue()


def with_comment(data, comment):
    return data[:-2] + struct.pack("<H", len(comment)) + comment


def between(data, hidden):
    at = data.index(b"PK\x01\x02")
    end = data.rindex(b"PK\x05\x06")
    size = struct.unpack_from("<I", data, end + 12)[0]
    return (
        data[:at]
        + hidden
        + data[at:end]
        + data[end : end + 12]
        + struct.pack("<II", size, at + len(hidden))
        + data[end + 20 :]
    )


def overlapping():
    body = zlib.compress(bytes(4_000_000), 9)[2:-4]
    local = (
        struct.pack(
            "<4sHHHHHIIIHH",
            b"PK\x03\x04",
            20,
            0,
            8,
            0,
            33,
            zlib.crc32(bytes(4_000_000)),
            len(body),
            4_000_000,
            1,
            0,
        )
        + b"a"
        + body
    )
    directory = b"".join(
        struct.pack(
            "<4sHHHHHHIIIHHHHHII",
            b"PK\x01\x02",
            20,
            20,
            0,
            8,
            0,
            33,
            zlib.crc32(bytes(4_000_000)),
            len(body),
            4_000_000,
            1,
            0,
            0,
            0,
            0,
            0,
            0,
        )
        + b"a"
        for _ in range(100)
    )
    return (
        local
        + directory
        + struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 100, 100, len(directory), len(local), 0)
    )


def zip64():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for key, data in torch_entries(exploit(2)):
            with archive.open(zipfile.ZipInfo(key, DATE), "w", force_zip64=True) as entry:
                entry.write(data)
    return file.getvalue()


def tar_files():
    b = bad
    for label, path in (
        ("up", "../../evil.py"),
        ("absolute", "/etc/cron.d/evil"),
        ("inside", "a/../../evil"),
    ):
        b(f"tar/slip_{label}.tar", tarred([(path, b"print('marker')")]), "tar", "slip")
    b("tar/symlink.tar", tarred([(member("link", tarfile.SYMTYPE, "/etc/passwd"), b"")]), "tar", "slip")
    b(
        "tar/symlink_up.tar",
        tarred([(member("link", tarfile.SYMTYPE, "../../x"), b""), ("link/evil", b"x")]),
        "tar",
        "slip",
    )
    b(
        "tar/hardlink.tar",
        tarred([(member("link", tarfile.LNKTYPE, "../../../etc/passwd"), b"")]),
        "tar",
        "slip",
    )
    b("tar/device.tar", tarred([(member("null", tarfile.CHRTYPE), b"")]), "tar", "slip")
    b("tar/fifo.tar", tarred([(member("pipe", tarfile.FIFOTYPE), b"")]), "tar", "slip")
    risky(
        "tar/setuid.tar",
        tarred([(member("tool", tarfile.REGTYPE, mode=0o4755), b"\x7fELF" + bytes(60))]),
        "tar",
        "slip",
    )
    b("tar/pax_path.tar", pax("../../evil"), "tar", "slip", "the path in a pax header")
    b("tar/gnu_long.tar", gnu("../" * 60 + "evil"), "tar", "slip", "the path in a GNU long name")
    b("tar/exploit.tar.gz", CODECS["gz"](tarred([("model/w.pkl", exploit(2))])), "gzip", "B24")
    b(
        "tar/exploit.tar.xz",
        CODECS["xz"](tarred([("model/w.pt", zipped(torch_entries(exploit(2))))])),
        "xz",
        "B24",
    )
    b(
        "tar/behind_end.tar",
        tarred([("a.txt", b"x")]) + tarred([("w.pkl", exploit(2))]),
        "tar",
        "B9",
        "a second archive behind the end blocks",
    )
    b("tar/duplicate.tar", tarred([("w.pkl", HONEST), ("w.pkl", exploit(2))]), "tar", "B15")
    good("tar/ok.tar", tarred([("config.json", b"{}"), ("w.pkl", HONEST)]), "tar")
    good(
        "tar/ok.tar.gz",
        CODECS["gz"](tarred([("config.json", b"{}"), (member("data", tarfile.DIRTYPE, mode=0o755), b"")])),
        "gzip",
    )
    good(
        "tar/ok_link_inside.tar",
        tarred([("blobs/a", b"x"), (member("snapshots/a", tarfile.SYMTYPE, "../blobs/a"), b"")]),
        "tar",
        "a link that stays inside, as model caches make",
    )
    good(
        "tar/ok_script.tar",
        tarred(
            [(member("run.sh", tarfile.REGTYPE, mode=0o755), b"#!/bin/sh\necho hello\n"), ("readme", b"x")]
        ),
        "tar",
    )
    for label, text_ in (
        ("os_system", "_target_: os.system\ncommand: echo marker\n"),
        ("nested", "model:\n  encoder:\n    _target_: subprocess.Popen\n    args: [echo]\n"),
        ("eval", "tokenizer:\n  _target_: builtins.eval\n  _args_: ['print(1)']\n"),
        ("flow", "{model: {_target_: posix.system, command: echo}}\n"),
        ("quoted", '"_target_": "os.popen"\ncmd: echo\n'),
        ("escaped", '"_targ\\x65t_": "o\\x73.system"\n'),
        ("python_tag", "model: !!python/object/apply:os.system ['echo']\n"),
        ("partial", "loss:\n  _target_: hydra.utils.get_method\n  path: os.system\n"),
    ):
        b(
            f"nemo/{label}.nemo",
            tarred(
                [
                    ("./model_config.yaml", text_.encode()),
                    ("./model_weights.ckpt", zipped(torch_entries(state_dict()))),
                ]
            ),
            "nemo",
            "B24",
            "CVE-2025-23304",
        )
    b(
        "nemo/weights.nemo",
        CODECS["gz"](
            tarred(
                [
                    ("./model_config.yaml", b"target: nemo.collections.asr.models.EncDecCTCModel\n"),
                    ("./model_weights.ckpt", zipped(torch_entries(exploit(2)))),
                ]
            )
        ),
        "nemo",
        "B24",
    )
    honest = b"target: nemo.collections.asr.models.ctc_models.EncDecCTCModel\npreprocessor:\n  _target_: nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor\n  sample_rate: 16000\nencoder:\n  _target_: nemo.collections.asr.modules.ConformerEncoder\noptim:\n  name: adamw\n  sched: {name: CosineAnnealing, warmup_steps: 10}\n"
    good(
        "nemo/ok.nemo",
        tarred(
            [("./model_config.yaml", honest), ("./model_weights.ckpt", zipped(torch_entries(state_dict())))]
        ),
        "nemo",
    )
    good(
        "nemo/ok_compressed.nemo",
        CODECS["gz"](
            tarred(
                [
                    ("./model_config.yaml", honest),
                    ("./model_weights.ckpt", zipped(torch_entries(state_dict()))),
                ]
            )
        ),
        "nemo",
    )


def pax(path):
    info = tarfile.TarInfo("a")
    info.pax_headers = {"path": path}
    info.size = 1
    return tarred([(info, b"x")])


def gnu(path):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        info = tarfile.TarInfo(path)
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    return file.getvalue()


def number(n):
    """A number of a 7z header."""
    if n < 0x80:
        return bytes([n])
    if n < 0x4000:
        return bytes([0x80 | n >> 8, n & 0xFF])
    return b"\xe0" + struct.pack("<I", n)[:3]


def seven_zip(entries, attributes=None):
    """A 7z archive of stored files, one folder with the copy method."""
    packed = b"".join(data for _, data in entries)
    names = b"".join(key.encode("utf-16-le") + b"\0\0" for key, _ in entries)
    streams = b"\x04" + b"\x06" + number(0) + number(1) + b"\x09" + number(len(packed)) + b"\x00"
    streams += (
        b"\x07\x0b" + number(1) + b"\x00" + number(1) + b"\x01\x00" + b"\x0c" + number(len(packed)) + b"\x00"
    )
    if len(entries) > 1:
        streams += (
            b"\x08\x0d" + number(len(entries)) + b"\x09" + b"".join(number(len(d)) for _, d in entries[:-1])
        )
        streams += b"\x0a\x01" + b"".join(struct.pack("<I", zlib.crc32(d)) for _, d in entries) + b"\x00"
    else:
        streams += b"\x08\x0a\x01" + struct.pack("<I", zlib.crc32(packed)) + b"\x00"
    files = b"\x05" + number(len(entries)) + b"\x11" + number(len(names) + 1) + b"\x00" + names
    if attributes:
        body = b"\x01\x00" + b"".join(struct.pack("<I", a) for a in attributes)
        files += b"\x15" + number(len(body)) + body
    header = b"\x01" + streams + b"\x00" + files + b"\x00\x00"
    start = struct.pack("<QQI", len(packed), len(header), zlib.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\x00\x04" + struct.pack("<I", zlib.crc32(start)) + start + packed + header


def seven_zip_files():
    bad("7z/exploit.7z", seven_zip([("model/data.pkl", exploit(2))]), "7z", "B16", "nullifAI")
    bad(
        "7z/exploit.pt",
        seven_zip([("archive/data.pkl", exploit(2)), ("archive/version", b"3\n")]),
        "7z",
        "B16",
    )
    bad("7z/slip.7z", seven_zip([("../../evil.py", b"x")]), "7z", "slip")
    bad("7z/slip_backslash.7z", seven_zip([("..\\evil.py", b"x")]), "7z", "slip")
    bad("7z/symlink.7z", seven_zip([("link", b"/etc/passwd")], [(0o120777 << 16) | 0x8000]), "7z", "slip")
    bad("7z/nested_zip.7z", seven_zip([("a.zip", zipped([("w.pkl", exploit(4))]))]), "7z", "B24")
    good("7z/ok.7z", seven_zip([("a.txt", b"hello"), ("b.json", b"{}")]), "7z")
    good("7z/ok_weights.7z", seven_zip([("w.pkl", HONEST)]), "7z")
    huge = bytearray(seven_zip([("a", b"x")]))
    huge[20:28] = struct.pack("<Q", 1 << 62)
    huge[8:12] = struct.pack("<I", zlib.crc32(bytes(huge[12:32])))
    unfinished("7z/header_huge.7z", bytes(huge), "7z", "B25", "a header beyond the file")


def ar(entries):
    """As GNU writes it: one header of text for each member, padded to even offsets."""
    data = b"!<arch>\n"
    for key, content in entries:
        data += f"{key + '/':<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        data += b"\n" * (len(data) % 2)
    return data


def cpio(entries):
    """The format `newc`: names to content, or to the target of a link."""
    data = b""
    for key, content in [*entries, ("TRAILER!!!", b"")]:
        mode, content = (0o120777, content.encode()) if isinstance(content, str) else (0o100644, content)
        numbers = (1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(key) + 1, 0)
        data += b"070701" + b"".join(b"%08x" % number for number in numbers) + key.encode() + b"\0"
        data += bytes(-len(data) % 4) + content
        data += bytes(-len(data) % 4)
    return data


def rpm(payload):
    """A lead, two headers without entries, and the compressed archive."""
    header = b"\x8e\xad\xe8\x01" + bytes(4) + struct.pack(">II", 0, 8) + bytes(8)
    return b"\xed\xab\xee\xdb" + bytes(92) + header + header + gzip.compress(payload, mtime=0)


def package_files():
    def deb(entries):
        return ar([("debian-binary", b"2.0\n"), ("data.tar.gz", gzip.compress(tarred(entries), mtime=0))])

    weights = bytes(range(7, 70))
    good("packages/ok.deb", deb([("./usr/share/m/w.bin", weights)]), "other-archive")
    good("packages/ok.cpio", cpio([("usr/w.bin", weights), ("usr/l", "w.bin")]), "other-archive")
    good("packages/ok.rpm", rpm(cpio([("./usr/w.bin", weights)])), "other-archive")
    good("packages/ok.a", ar([("w.bin", weights)]), "other-archive")
    link = member("./etc/m/a.conf", tarfile.SYMTYPE, "/usr/share/m/a.conf")
    risky("packages/link.deb", deb([(link, b"")]), "other-archive", "slip", "links from the root, as packages do")
    for label, data in (
        ("deb", deb([("./m.pkl", exploit(2))])),
        ("cpio", cpio([("m.pkl", exploit(2))])),
        ("rpm", rpm(cpio([("m.pkl", exploit(2))]))),
        ("a", ar([("m.pkl", exploit(2))])),
    ):
        bad(f"packages/pickle.{label}", data, "other-archive", "B21")
    bad("packages/up.cpio", cpio([("../../evil.py", b"x")]), "other-archive", "slip")
    bad("packages/link_up.cpio", cpio([("l", "../../etc/passwd")]), "other-archive", "slip")
    application = zipped([("__main__.py", b"print('harmless')\n")])
    good("zip/ok_application.pyz", b"#!/usr/bin/env python3\n" + application, "zip", "zipapp (PEP 441)")


def all_samples():
    compressed()
    torch_files()
    numpy_files()
    zip_files()
    tar_files()
    package_files()
    seven_zip_files()
