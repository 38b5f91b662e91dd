"""Files of other formats that carry pickles, and states, sizes and arguments without a dangerous name in them."""

import base64
import json
import zipfile
from io import BytesIO

from .opcodes import call, name, text, value, whole
from .sample import bad, good

HOSTILE = b"\x80\x02cos\nsystem\nX\x06\x00\x00\x00echo x\x85R."
HARMLESS = b"\x80\x02ccollections\nOrderedDict\n)R."


def archive(members):
    data = BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for member, content in members.items():
            file.writestr(zipfile.ZipInfo(member), content)
    return data.getvalue()


def texts():
    for stem, inner in (("hostile", HOSTILE), ("plain", HARMLESS)):
        encoded = base64.b64encode(inner).decode()
        data = json.dumps(
            {
                "policy_class": {":type:": "ABCMeta", ":serialized:": encoded},
                "seed": None,
            }
        )
        agent = archive({"data": data, "_stable_baselines3_version": "2.7.0"})
        image = b"\x89PNG\r\n\x1a\n" + bytes(64) + b"IEND\xaeB`\x82" + inner
        for path, content, note in (
            (f"zip/sb3_{stem}.zip", agent, "the data of Stable-Baselines3"),
            (
                f"json/base64_{stem}.json",
                json.dumps({"w": [{"m": encoded}]}).encode(),
                "a pickle in base64",
            ),
            (
                f"unknown/blob_{stem}.db",
                b"SQLite format 3\0" + bytes(4000) + inner,
                "a pickle in a database",
            ),
            (f"unknown/picture_{stem}.png", image, "a pickle behind a picture"),
        ):
            kind = path.split("/")[0]
            if inner == HOSTILE:
                bad(path, content, kind, "B21", note)
            else:
                good(path, content, kind, note)


def states():
    body = text("_code", 2) + text(
        "def forward(self, x):\n    return torch.os.popen('x')\n", 2
    )
    code = (
        name("torch.fx.graph_module", "reduce_graph_module", 2)
        + b"}("
        + body
        + b"u"
        + text("import torch\n", 2)
    )
    bad(
        "pickle/traced_os.pkl",
        whole(code + b"\x86R", 2),
        "pickle",
        "B18",
        "source of a traced module",
    )
    for module, qualname, argument in (
        ("acme.tools", "fetch", "https://example.com/x"),
        ("acme.tools", "Runner", "__import__('os').system('echo x')"),
        ("acme.tools", "Reader", "/etc/passwd"),
        ("sympy.matrices.dense", "Matrix", "print('x')"),
    ):
        data = whole(call(module, qualname, argument, protocol=2), 2)
        bad(f"pickle/argument_{qualname}.pkl", data, "pickle", "B19", argument)
    sized = (
        name("torch.nn.modules.linear", "Linear", 2)
        + value(10**6, 2)
        + value(10**6, 2)
        + b"\x86R"
    )
    bad("pickle/layer_bomb.pkl", whole(sized, 2), "pickle", "B25", "a layer of 4 TB")
    decimal = call("decimal", "Decimal", "1e999999999", protocol=2)
    bad(
        "pickle/decimal_bomb.pkl",
        whole(decimal, 2),
        "pickle",
        "B25",
        "ten to a large power",
    )


def all_samples():
    texts()
    states()
