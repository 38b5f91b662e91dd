"""Safetensors, GGUF, MessagePack, Torch 7, MXNet, Paddle."""

import json
import pickle
import struct

from .archives import zipped
from .opcodes import call, exploit, whole
from .sample import bad, good, risky, unfinished


def safetensors(header, data=b"", length=None, pad=True):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    if pad:
        raw += b" " * (-len(raw) % 8)
    return struct.pack("<Q", len(raw) if length is None else length) + raw + data


def tensor(start, end, dtype="F32", shape=None):
    return {
        "dtype": dtype,
        "shape": [(end - start) // 4] if shape is None else shape,
        "data_offsets": [start, end],
    }


def safetensors_files():
    def b(label, data, note=""):
        bad(f"safetensors/{label}.safetensors", data, "safetensors", "structure", note)

    b("gap", safetensors({"a": tensor(0, 4), "b": tensor(8, 12)}, bytes(12)))
    b("gap_at_start", safetensors({"a": tensor(4, 8)}, bytes(8)))
    b("overlap", safetensors({"a": tensor(0, 8), "b": tensor(4, 12)}, bytes(12)))
    b("same_bytes", safetensors({"a": tensor(0, 8), "b": tensor(0, 8)}, bytes(8)))
    b("trailing", safetensors({"a": tensor(0, 4)}, bytes(4) + b"hidden bytes"))
    b("trailing_pickle", safetensors({"a": tensor(0, 4)}, bytes(4) + exploit(2)), "safetensors and a pickle")
    b(
        "trailing_zip",
        safetensors({"a": tensor(0, 4)}, bytes(4) + zipped([("data.pkl", exploit(2))])),
        "safetensors and a zip archive",
    )
    b("past_end_gap", safetensors({"a": tensor(0, 4), "b": tensor(400, 404)}, bytes(4)))
    b(
        "duplicate",
        safetensors(
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
            bytes(4),
        ),
    )
    b(
        "duplicate_escaped",
        safetensors(
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
            bytes(8),
        ),
    )
    b(
        "duplicate_field",
        safetensors(b'{"a":{"dtype":"F32","dtype":"F64","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
    )
    b(
        "duplicate_metadata",
        safetensors(
            b'{"__metadata__":{"x":"1"},"__metadata__":{"x":"2"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
            bytes(4),
        ),
    )
    b("header_beyond", safetensors({"a": tensor(0, 4)}, bytes(4), length=1 << 20))
    b("header_huge", safetensors({"a": tensor(0, 4)}, bytes(4), length=(1 << 63) - 1))
    b("header_over_limit", safetensors({"a": tensor(0, 4)}, bytes(4), length=100_000_001))
    b(
        "no_brace",
        safetensors(b' {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
        "the reference wants the brace first",
    )
    b("size_mismatch", safetensors({"a": tensor(0, 4, shape=[100])}, bytes(4)))
    b("shape_overflow", safetensors({"a": tensor(0, 4, shape=[1 << 33, 1 << 33])}, bytes(4)))
    b(
        "negative_offset",
        safetensors({"a": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}}, bytes(4)),
    )
    b(
        "reversed_offsets",
        safetensors({"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 0]}}, bytes(4)),
    )
    b("float_offset", safetensors(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0.0,4.0]}}', bytes(4)))
    b(
        "huge_offset",
        safetensors(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551620]}}', bytes(4)),
    )
    b("unknown_dtype", safetensors({"a": tensor(0, 4, "F99")}, bytes(4)))
    b("nested_metadata", safetensors({"__metadata__": {"a": {"b": "c"}}, "a": tensor(0, 4)}, bytes(4)))
    b("number_metadata", safetensors({"__metadata__": {"a": 1}, "a": tensor(0, 4)}, bytes(4)))
    b(
        "padding_data",
        safetensors(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  os.system(1)  ', bytes(4)),
        "data in the padding",
    )
    b(
        "padding_zero",
        safetensors(b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' + bytes(10), bytes(4)),
    )
    b("extra_field", safetensors({"a": tensor(0, 4) | {"payload": "x" * 50}}, bytes(4)))
    b("deep", safetensors(b'{"__metadata__":' + b"[" * 5000 + b"]" * 5000 + b"}"))
    b("not_a_table", safetensors(b'{"a":[1,2,3]}'))
    b("nan", safetensors(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}', bytes(4)))
    b("bad_utf8", safetensors(b'{"\xff\xfe":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)))
    unfinished(
        "safetensors/cut.safetensors",
        safetensors({"a": tensor(0, 4), "b": tensor(4, 4000)}, bytes(4)),
        "safetensors",
        "structure",
        "a download that was cut off looks like this",
    )
    unfinished(
        "safetensors/past_end.safetensors",
        safetensors({"a": tensor(0, 400)}, bytes(4)),
        "safetensors",
        "structure",
        "a download that was cut off looks like this",
    )

    def g(label, data, note=""):
        good(f"safetensors/ok_{label}.safetensors", data, "safetensors", note)

    g("plain", safetensors({"a": tensor(0, 4)}, bytes(4)))
    g("two_unordered", safetensors({"b": tensor(4, 8), "a": tensor(0, 4)}, bytes(8)))
    g("bf16", safetensors({"a": tensor(0, 8, "BF16", [2, 2])}, bytes(8)))
    g("f8", safetensors({"a": tensor(0, 4, "F8_E4M3", [4]), "b": tensor(4, 8, "F8_E5M2", [4])}, bytes(8)))
    g("empty_tensor", safetensors({"a": tensor(0, 0, shape=[0, 3]), "b": tensor(0, 4)}, bytes(4)))
    g("scalar", safetensors({"a": tensor(0, 4, shape=[])}, bytes(4)))
    g(
        "metadata",
        safetensors(
            {
                "__metadata__": {
                    "format": "pt",
                    "note": "os.system('x') is only text",
                    "config": json.dumps({"a": [1]}),
                },
                "a": tensor(0, 4),
            },
            bytes(4),
        ),
    )
    g("unpadded", safetensors({"a": tensor(0, 4)}, bytes(4), pad=False))
    g("padded", safetensors(json.dumps({"a": tensor(0, 4)}).encode() + b" " * 400, bytes(4)))
    g("no_tensors", safetensors({}))
    g("only_metadata", safetensors({"__metadata__": {}}))
    g(
        "integers",
        safetensors(
            {
                k: tensor(i * 8, i * 8 + 8, k, [8 // s])
                for i, (k, s) in enumerate(
                    (
                        ("I64", 8),
                        ("I32", 4),
                        ("I16", 2),
                        ("I8", 1),
                        ("U8", 1),
                        ("BOOL", 1),
                        ("F64", 8),
                        ("F16", 2),
                        ("U16", 2),
                        ("U32", 4),
                        ("U64", 8),
                    )
                )
            },
            bytes(88),
        ),
    )
    g("many", safetensors({f"layers.{i}.weight": tensor(i * 4, i * 4 + 4) for i in range(500)}, bytes(2000)))
    g(
        "odd_names",
        safetensors({"模型.重み": tensor(0, 4), 'a"b\\c': tensor(4, 8), "": tensor(8, 12)}, bytes(12)),
    )
    g(
        "pickle_like_data",
        safetensors(
            {"a": {"dtype": "U8", "shape": [len(exploit(2))], "data_offsets": [0, len(exploit(2))]}},
            exploit(2),
        ),
        "tensor bytes that happen to be a stream: no loader unpickles them",
    )


U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)


def string(item):
    raw = item if isinstance(item, bytes) else item.encode()
    return struct.pack("<Q", len(raw)) + raw


def pair(key, kind, data):
    return string(key) + struct.pack("<I", kind) + data


def gguf(pairs=(), tensors=(), data=None, counts=None, version=3, magic=b"GGUF", alignment=32):
    tensors = list(tensors)
    pairs = [pair("general.architecture", STRING, string("llama")), *pairs]
    head = (
        magic
        + struct.pack("<I", version)
        + struct.pack("<QQ", *(counts or (len(tensors), len(pairs))))
        + b"".join(pairs)
    )
    for label, dims, kind, offset in tensors:
        head += (
            string(label)
            + struct.pack("<I", len(dims))
            + b"".join(struct.pack("<Q", d) for d in dims)
            + struct.pack("<IQ", kind, offset)
        )
    head += bytes(-len(head) % alignment)
    size = sum(
        4 * max(1, int.__mul__(1, d[1][0] if d[1] else 1)) + 32
        for d in tensors
        if d[1][:1] and d[1][0] < 1000
    )
    return head + (bytes(size // 32 * 32) if data is None else data)


CHATML = "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
LLAMA2 = "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
LLAMA3 = "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
LLAMA31 = """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not tools_in_user_message is defined %}
    {%- set tools_in_user_message = true %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none and not tools_in_user_message %}
    {{- "You have access to the following functions. To call a function, please respond with JSON for a function call." }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {%- if builtin_tools is defined and tool_call.name in builtin_tools %}
            {%- for arg_name, arg_val in tool_call.arguments | items %}
                {{- arg_name + '="' + arg_val + '"' }}
                {%- if not loop.last %}{{- ", " }}{%- endif %}
            {%- endfor %}
        {%- else  %}
            {{- '{"name": "' + tool_call.name + '", ' }}{{- '"parameters": ' }}{{- tool_call.arguments | tojson }}{{- "}" }}
        {%- endif %}
    {%- endif %}
{%- endfor %}"""
QWEN3 = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {{- "# Tools\\n\\nYou may call one or more functions to assist with the user query.\\n\\nYou are provided with function signatures within <tools></tools> XML tags:\\n<tools>" }}
    {%- for tool in tools %}{{- "\\n" }}{{- tool | tojson }}{%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}{%- set content = message.content %}{%- else %}{%- set content = '' %}{%- endif %}
    {%- set reasoning_content = '' %}
    {%- if '</think>' in content %}
        {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
    {%- endif %}
    {{- '<|im_start|>' + message.role + '\\n' + content }}
{%- endfor %}"""
MISTRAL = """{%- if messages[0]["role"] == "system" %}{%- set system_message = messages[0]["content"] %}{%- set loop_messages = messages[1:] %}{%- else %}{%- set loop_messages = messages %}{%- endif %}
{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or message.role == "tool_results" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}{{- raise_exception("After the optional system message, conversation roles must alternate user/assistant/user/assistant/...") }}{%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}{{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}{{- '"' + key + '": "' + val + '"' }}{%- else %}{{- '"' + key + '": ' + val|tojson }}{%- endif %}
                    {%- if not loop.last %}{{- ", " }}{%- endif %}
                {%- endfor %}
                {{- "}}" }}
            {%- endfor %}
            {{- "[/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {{- "[INST] " + message["content"] + "[/INST]" }}
    {%- elif message["role"] == "assistant" %}{{- " " + message["content"]|trim + eos_token}}
    {%- else %}{{- raise_exception("Only user and assistant roles are supported, with the exception of an initial optional system message!") }}{%- endif %}
{%- endfor %}"""
MACROS = "{% macro render(content, do_count) %}{%- if content is string -%}{{ content }}{%- else -%}{%- for item in content -%}{{ item.text }}{%- endfor -%}{%- endif -%}{% endmacro %}{%- set counter = namespace(value=0) %}{%- for m in messages %}{{ render(m.content, true) }}{% set counter.value = counter.value + 1 %}{% endfor %}{%- generation -%}x{%- endgeneration -%}"
HONEST_TEMPLATES = {
    "chatml": CHATML,
    "llama2": LLAMA2,
    "llama3": LLAMA3,
    "llama31_tools": LLAMA31,
    "qwen3": QWEN3,
    "mistral_tools": MISTRAL,
    "macros": MACROS,
    "text_only": "{{ 'never write __class__ or os.system in a prompt' }}",
    "dates": "{{ strftime_now('%Y-%m-%d') }}{{ messages | map(attribute='content') | join('\\n') }}",
    "dict_methods": "{% for k, v in message.items() %}{{ k ~ v.get('x', '') }}{% endfor %}{{ messages[0].keys() | list }}",
    "upper_case": "{{ messages[0]['role'].capitalize() }}{{ messages[-1]['content'].split('\\n')[-1].strip().upper() }}",
}
ATTACKS = {
    "namespace_pieces": "{% set ns = namespace(a='__cla') %}{% set ns.b = 'ss__' %}{{ x|attr(ns.a ~ ns.b) }}",
    "dictionary": "{% set d = {'a': '__cla', 'b': 'ss__'} %}{{ x[d.a ~ d['b']] }}",
    "looped": "{% set n = namespace(s='') %}{% for c in ['__cla', 'ss__'] %}{% set n.s = n.s ~ c %}{% endfor %}{{ x[n.s] }}",
    "centered": "{{ x|attr('class'.center(9, '_')) }}",
    "stepped": "{{ x|attr('_x_xcxlxaxsxsx_x_'[::2]) }}",
    "mapped": "{{ x|attr(['__CLA', 'SS__']|map('lower')|join) }}",
    "set_block": "{% set k %}__{{ 'class' }}__{% endset %}{{ x[k] }}",
    "doubling": "{% set ns = namespace(s='a') %}{% for m in messages %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
    "padding": "{{ 'a'.ljust(10**9) }}",
    "cycler": "{{ cycler.__init__.__globals__.os.popen('echo marker').read() }}",
    "joiner": "{{ joiner.__init__.__globals__['os'].system('echo') }}",
    "namespace": "{{ namespace.__init__.__globals__.os.popen('echo') }}",
    "lipsum": "{{ lipsum.__globals__['os'].popen('echo').read() }}",
    "lipsum_item": "{{ lipsum['__globals__']['__builtins__']['eval']('1') }}",
    "range": "{{ range.__class__.__base__.__subclasses__() }}",
    "mro": "{% for x in ''.__class__.__mro__[1].__subclasses__() %}{% if 'warning' in x.__name__ %}{{ x()._module.__builtins__['__import__']('os').popen('echo').read() }}{% endif %}{% endfor %}",
    "attr_filter": "{{ ''|attr('__class__')|attr('__base__')|attr('__subclasses__')() }}",
    "concat": "{{ ''['__cla' ~ 'ss__']['__ba' + 'se__'] }}",
    "adjacent": "{{ ''['__cla''ss__'] }}",
    "hex": "{{ ''['\\x5f\\x5fclass\\x5f\\x5f']['\\x5f\\x5fmro\\x5f\\x5f'] }}",
    "unicode": "{{ ()|attr('\\u005f\\u005fclass\\u005f\\u005f') }}",
    "octal": "{{ ()['\\137\\137class\\137\\137'] }}",
    "subscript": "{{ ()['__class__']['__bases__'][0]['__subclasses__']() }}",
    "set_split": "{% set a = '__glo' %}{% set b = 'bals__' %}{{ cycler['__init__'][a ~ b] }}",
    "set_chain": "{% set c = cycler %}{% set i = c.__init__ %}{% set g = i.__globals__ %}{{ g.os }}",
    "join_filter": "{{ ''[['__', 'class', '__']|join] }}",
    "reverse": "{{ ''['__ssalc__'[::-1]] }}",
    "reverse_filter": "{{ ''['__ssalc__'|reverse] }}",
    "format_filter": "{{ ''['%s%s%s'|format('__', 'class', '__')] }}",
    "format_method": "{{ '{0.__class__}'.format(messages) }}",
    "replace": "{{ ''|attr('XXclassXX'|replace('X', '_')) }}",
    "lower": "{{ ''['__CLASS__'.lower()] }}",
    "chr": "{{ ''['%c%cclass%c%c'|format(95, 95, 95, 95)] }}",
    "map_attribute": "{{ [cycler]|map(attribute='__init__.__globals__')|list }}",
    "selectattr": "{{ [x]|selectattr('__class__.__name__')|list }}",
    "groupby": "{{ messages|groupby('__class__') }}",
    "self": "{{ self.__init__.__globals__.__builtins__ }}",
    "self_reference": "{{ self._TemplateReference__context }}",
    "loop": "{% for m in messages %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "macro": "{% macro f() %}{% endmacro %}{{ f.__call__.__globals__ }}",
    "macro_body": "{% macro f(x) %}{{ x.__class__.__mro__ }}{% endmacro %}{{ f('') }}",
    "exception": "{{ raise_exception.__globals__['os'] }}",
    "strftime": "{{ strftime_now.__globals__['datetime'].sys.modules['os'].system('echo') }}",
    "comment_tag": "{#- x -#}{{- cycler.__init__.__globals__ -}}",
    "whitespace": "{{\n cycler\n .__init__\n .__globals__\n }}",
    "condition": "{% if cycler.__init__.__globals__.os.system('echo') %}{% endif %}",
    "block_set": "{% set x %}{{ ''.__class__ }}{% endset %}{{ x }}",
    "filter_block": "{% filter attr('__class__') %}x{% endfilter %}",
    "dict_lookup": "{{ dict.__base__.__subclasses__() }}",
    "config": "{{ config.__class__.__init__.__globals__ }}",
    "request": "{{ request|attr('application')|attr('__globals__') }}",
    "url_for": "{{ url_for.__globals__.current_app }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}{{ os.system('echo') }}",
    "do": "{% do cycler.__init__.__globals__.os.system('echo') %}",
    "generator": "{{ ().gi_frame.f_globals }}",
    "generator_code": "{% set f = messages.__iter__ %}{{ f.__self__.__class__ }}",
    "func_globals": "{{ lipsum.func_globals.os }}",
    "huge_range": "{% for a in range(1000000000) %}{% for b in range(1000000000) %}x{% endfor %}{% endfor %}",
    "huge_multiply": "{{ 'a' * 10000000000 }}",
    "huge_power": "{{ 10 ** 10 ** 10 }}",
}


def gguf_files():
    def template(body, key="tokenizer.chat_template"):
        return gguf([pair(key, STRING, string(body))])

    for label, body in ATTACKS.items():
        bad(f"gguf/template_{label}.gguf", template(body), "gguf", "B24", "CVE-2024-34359")
        bad(f"jinja/{label}.jinja", body.encode(), "jinja", "B24")
    for label in ("cycler", "mro", "hex"):
        bad(
            f"gguf/template_named_{label}.gguf",
            template(ATTACKS[label], "tokenizer.chat_template.tool_use"),
            "gguf",
            "B24",
            "a second template",
        )
        bad(
            f"gguf/template_hidden_{label}.gguf",
            template(CHATML + "\n" * 500 + ATTACKS[label]),
            "gguf",
            "B24",
            "behind an honest template",
        )
    for key in ("adapter.prompt_template", "general.description"):
        bad(
            f"gguf/template_under_{key.split('.')[1]}.gguf",
            template(ATTACKS["mro"], key),
            "gguf",
            "B24",
            "a template under another key",
        )
    for label, body in HONEST_TEMPLATES.items():
        good(f"gguf/ok_template_{label}.gguf", template(body), "gguf")
        good(f"jinja/ok_{label}.jinja", body.encode(), "jinja")
    one = [("w", (8,), 0, 0)]

    def b(label, data, note=""):
        bad(f"gguf/{label}.gguf", data, "gguf", "structure", note)

    b("tensor_count", gguf(tensors=one, counts=(1 << 60, 1)), "CVE-2024-25664")
    b("pair_count", gguf(counts=(0, 1 << 62)), "CVE-2024-25665")
    b(
        "string_length",
        gguf([string("a") + struct.pack("<I", STRING) + struct.pack("<Q", (1 << 64) - 1)]),
        "CVE-2024-25666",
    )
    b("key_length", gguf([struct.pack("<Q", 1 << 63) + b"a"]), "CVE-2024-25667")
    b(
        "array_length",
        gguf([pair("a", ARRAY, struct.pack("<IQ", U64, 1 << 61))]),
        "CVE-2024-25668: count times size overflows",
    )
    b("array_of_strings", gguf([pair("a", ARRAY, struct.pack("<IQ", STRING, 1 << 40))]))
    b(
        "array_nested_deep",
        gguf(
            [
                string("a")
                + struct.pack("<I", ARRAY)
                + struct.pack("<IQ", ARRAY, 1) * 2000
                + struct.pack("<IQ", U8, 0)
            ]
        ),
    )
    b("array_type", gguf([pair("a", ARRAY, struct.pack("<IQ", 99, 1) + bytes(8))]))
    b("value_type", gguf([pair("a", 99, bytes(8))]))
    b("n_dims", gguf(tensors=[("w", (1,) * 9, 0, 0)]))
    b(
        "n_dims_huge",
        gguf(tensors=one).replace(
            string("w") + struct.pack("<I", 1), string("w") + struct.pack("<I", 0xFFFFFFFF)
        ),
    )
    b("dims_overflow", gguf(tensors=[("w", (1 << 32, 1 << 32, 4), 0, 0)], data=bytes(64)), "CVE-2025-53630")
    b("dims_negative", gguf(tensors=[("w", (1 << 63,), 0, 0)], data=bytes(64)))
    b("offset_beyond", gguf(tensors=[("w", (8,), 0, 1 << 40)]))
    b("offset_overflow", gguf(tensors=[("w", (8,), 0, (1 << 64) - 32)]))
    b("offset_unaligned", gguf(tensors=[("w", (8,), 0, 3)], data=bytes(64)))
    b("offset_overlap", gguf(tensors=[("a", (64,), 0, 0), ("b", (64,), 0, 32)], data=bytes(512)))
    b("duplicate_key", gguf([pair("a", U32, bytes(4)), pair("a", U32, b"\1\0\0\0")]))
    b(
        "duplicate_template",
        gguf(
            [
                pair("tokenizer.chat_template", STRING, string(CHATML)),
                pair("tokenizer.chat_template", STRING, string(ATTACKS["cycler"])),
            ]
        ),
    )
    b("duplicate_tensor", gguf(tensors=[("w", (8,), 0, 0), ("w", (8,), 0, 32)], data=bytes(64)))
    b("alignment_zero", gguf([pair("general.alignment", U32, bytes(4))], one))
    b("alignment_odd", gguf([pair("general.alignment", U32, struct.pack("<I", 7))], one))
    b("alignment_type", gguf([pair("general.alignment", STRING, string("32"))], one))
    b("tensor_type", gguf(tensors=[("w", (8,), 4096, 0)], data=bytes(32)))
    unfinished(
        "gguf/tensor_type_of_a_fork.gguf",
        gguf(tensors=[("w", (8,), 255, 0)], data=bytes(32)),
        "gguf",
        "structure",
        "forks number their own types",
    )
    b(
        "block_size",
        gguf(tensors=[("w", (7,), 2, 0)], data=bytes(32)),
        "a row that is no multiple of the block",
    )
    unfinished(
        "gguf/tensor_past_end.gguf",
        gguf(tensors=[("w", (900,), 0, 0)], data=bytes(32)),
        "gguf",
        "structure",
        "a download that was cut off looks like this",
    )
    b("name_long", gguf(tensors=[("w" * 5000, (8,), 0, 0)], data=bytes(32)))
    b(
        "zip_behind",
        gguf(tensors=one, data=bytes(32)) + zipped([("data.pkl", exploit(2))]),
        "GGUF and a zip archive",
    )
    b("pickle_behind", gguf(tensors=one, data=bytes(32)) + exploit(2), "GGUF and a pickle")

    def g(label, data, note=""):
        good(f"gguf/ok_{label}.gguf", data, "gguf", note)

    g("plain", gguf(tensors=one, data=bytes(32)))
    g("two", gguf(tensors=[("a", (8,), 0, 0), ("b", (2, 4), 0, 32)], data=bytes(64)))
    g("quantised", gguf(tensors=[("w", (32, 2), 2, 0)], data=bytes(64)))
    g(
        "alignment_64",
        gguf([pair("general.alignment", U32, struct.pack("<I", 64))], one, bytes(64), alignment=64),
    )
    g(
        "all_types",
        gguf(
            [
                pair("a.u8", U8, b"\1"),
                pair("a.i8", I8, b"\xff"),
                pair("a.u16", U16, b"\1\0"),
                pair("a.i16", I16, b"\1\0"),
                pair("a.u32", U32, bytes(4)),
                pair("a.i32", I32, bytes(4)),
                pair("a.f32", F32, bytes(4)),
                pair("a.bool", BOOL, b"\1"),
                pair("a.u64", U64, bytes(8)),
                pair("a.i64", I64, bytes(8)),
                pair("a.f64", F64, bytes(8)),
                pair("a.array", ARRAY, struct.pack("<IQ", STRING, 2) + string("x") + string("y")),
            ],
            one,
            bytes(32),
        ),
    )
    g(
        "vocabulary",
        gguf(
            [
                pair(
                    "tokenizer.ggml.tokens",
                    ARRAY,
                    struct.pack("<IQ", STRING, 300) + b"".join(string(f"os.system{i}") for i in range(300)),
                ),
                pair("tokenizer.ggml.scores", ARRAY, struct.pack("<IQ", F32, 300) + bytes(1200)),
            ]
        ),
    )
    g("version2", gguf(tensors=one, data=bytes(32), version=2))
    g("vocabulary_only", gguf())
    unfinished(
        "gguf/cut.gguf",
        gguf([pair("a", STRING, string("x" * 200))])[:100],
        "gguf",
        "B9",
        "the header ends early",
    )


def packed(item):
    """MessagePack."""
    if item is None:
        return b"\xc0"
    if isinstance(item, bool):
        return b"\xc3" if item else b"\xc2"
    if isinstance(item, int):
        return struct.pack("B", item) if 0 <= item < 128 else b"\xce" + struct.pack(">I", item)
    if isinstance(item, float):
        return b"\xcb" + struct.pack(">d", item)
    if isinstance(item, str):
        raw = item.encode()
        return (
            b"\xd9" + bytes([len(raw)]) + raw
            if len(raw) < 256
            else b"\xdb" + struct.pack(">I", len(raw)) + raw
        )
    if isinstance(item, bytes):
        return b"\xc6" + struct.pack(">I", len(item)) + item
    if isinstance(item, list):
        return b"\xdc" + struct.pack(">H", len(item)) + b"".join(map(packed, item))
    if isinstance(item, dict):
        return (
            b"\xde" + struct.pack(">H", len(item)) + b"".join(packed(k) + packed(v) for k, v in item.items())
        )
    return b"\xc9" + struct.pack(">IB", len(item[1]), item[0]) + item[1]


def msgpack_files():
    array = (1, packed([[2, 2], "float32", bytes(16)]))
    good(
        "msgpack/ok_flax.msgpack",
        packed({"params": {"dense": {"kernel": array, "bias": array}}, "step": 3}),
        "msgpack",
        "arrays are extension 1",
    )
    good(
        "msgpack/ok_scalar.msgpack",
        packed({"a": (3, packed([[], "float32", bytes(4)])), "b": (2, packed([1.0, 2.0]))}),
        "msgpack",
    )
    good("msgpack/ok_plain.msgpack", packed({"a": [1, 2.5, "text", None, True], "os": "system"}), "msgpack")
    bad(
        "msgpack/object_array.msgpack",
        packed({"a": {"nd": True, "type": "|O", "kind": "O", "shape": [1], "data": exploit(4)}}),
        "msgpack",
        "B21",
        "an array of objects as msgpack-numpy writes it",
    )
    bad("msgpack/bomb_count.msgpack", b"\xdd\xff\xff\xff\xff\xc0", "msgpack", "B25")
    bad("msgpack/bomb_bytes.msgpack", b"\x81\xa1a\xc6\xff\xff\xff\xff\x00", "msgpack", "B25")
    bad("msgpack/deep.msgpack", b"\x91" * 100_000 + b"\xc0", "msgpack", "B25")
    bad("msgpack/trailing.msgpack", packed({"params": {"a": array}}) + exploit(2), "msgpack", "B9")


def t7(kind, *fields):
    return struct.pack("<i", kind) + b"".join(fields)


def t7_text(item):
    return struct.pack("<i", len(item)) + item.encode()


def old_formats():
    function = t7(
        8, struct.pack("<i", 1), t7_text("\x1bLJ\x02os.execute('echo')"), t7(3, struct.pack("<ii", 2, 0))
    )
    bad("t7/function.t7", function, "t7", "B24", "a dumped Lua function")
    bad(
        "t7/function_in_table.t7",
        t7(
            3,
            struct.pack("<ii", 1, 1),
            t7(2, t7_text("hook")),
            t7(8, struct.pack("<i", 2), t7_text("\x1bLua"), t7(3, struct.pack("<ii", 3, 0))),
        ),
        "t7",
        "B24",
    )
    bad("t7/old_function.t7", t7(6, t7_text("\x1bLua os.execute"), t7(0)), "t7", "B24")
    good(
        "t7/ok_table.t7",
        t7(3, struct.pack("<ii", 1, 1), t7(2, t7_text("lr")), t7(1, struct.pack("<d", 0.1))),
        "t7",
    )
    tensor_ = t7(
        4,
        struct.pack("<i", 1),
        t7_text("V 1"),
        t7_text("torch.FloatTensor"),
        struct.pack("<iqqq", 1, 2, 1, 1),
        t7(
            4,
            struct.pack("<i", 2),
            t7_text("V 1"),
            t7_text("torch.FloatStorage"),
            struct.pack("<q2f", 2, 1.0, 2.0),
        ),
    )
    good("t7/ok_tensor.t7", tensor_, "t7")
    graph = {
        "nodes": [
            {"op": "null", "name": "data", "inputs": []},
            {"op": "FullyConnected", "name": "fc", "attrs": {"num_hidden": "10"}, "inputs": [[0, 0, 0]]},
        ],
        "arg_nodes": [0],
        "heads": [[1, 0, 0]],
        "attrs": {"mxnet_version": ["int", 10700]},
    }
    good("mxnet/ok-symbol.json", json.dumps(graph).encode(), "json")
    for label, node in (
        ("custom", {"op": "Custom", "name": "x", "attrs": {"op_type": "os_system"}, "inputs": []}),
        ("native", {"op": "_Native", "name": "x", "attrs": {"info": "0x7f0000"}, "inputs": []}),
        ("ndarray", {"op": "_NDArray", "name": "x", "attrs": {"info": "0x7f0000"}, "inputs": []}),
    ):
        add = risky if label == "custom" else bad
        add(
            f"mxnet/{label}-symbol.json",
            json.dumps(graph | {"nodes": [*graph["nodes"], node]}).encode(),
            "json",
            "B24",
            "an operator that calls back",
        )
    params = (
        struct.pack("<QQQ", 0x112, 0, 1)
        + struct.pack("<IiI", 0xF993FAC9, 0, 1)
        + struct.pack("<Qii", 2, 1, 0)
        + struct.pack("<i2f", 0, 1, 2)
    )
    params += struct.pack("<QQ", 1, 5) + b"arg:w"
    good("mxnet/ok.params", params, "mxnet")
    bad("mxnet/count.params", struct.pack("<QQQ", 0x112, 0, 1 << 60) + params[24:], "mxnet", "structure")
    bad(
        "mxnet/shape.params",
        params.replace(struct.pack("<IiI", 0xF993FAC9, 0, 1), struct.pack("<IiI", 0xF993FAC9, 0, 0xFFFFFFFF)),
        "mxnet",
        "structure",
    )
    bad("paddle/exploit.pdparams", exploit(2), "paddle", "B24")
    bad(
        "paddle/exploit_nested.pdopt",
        whole(
            b"}" + b"X\x01\x00\x00\x00w" + call("builtins", "eval", "print('marker')", protocol=2) + b"s", 2
        ),
        "paddle",
        "B24",
    )
    good(
        "paddle/ok.pdparams",
        pickle.dumps({"w": [1.0], "StructuredToParameterName@@": {"w": "w"}}, 2),
        "paddle",
    )


def all_samples():
    safetensors_files()
    gguf_files()
    msgpack_files()
    old_formats()
