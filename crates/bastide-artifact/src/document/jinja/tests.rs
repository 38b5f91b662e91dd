use proptest::prelude::*;

use crate::{Limits, Report};

fn judge(text: &str) -> Report {
    crate::scan(&text.as_bytes(), "chat_template.jinja", &Limits::default())
}

fn ids(text: &str) -> Vec<&'static str> {
    judge(text).findings.iter().map(|finding| finding.rule.id).collect()
}

/// Written after the templates of well-known models.
const HONEST: &[&str] = &[
    // ChatML
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    // Llama 2
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
    // Llama 3.1
    "{{- bos_token }}\n{%- if custom_tools is defined %}\n    {%- set tools = custom_tools %}\n{%- endif %}\n{%- if not date_string is defined %}\n    {%- if strftime_now is defined %}\n        {%- set date_string = strftime_now(\"%d %b %Y\") %}\n    {%- else %}\n        {%- set date_string = \"26 Jul 2024\" %}\n    {%- endif %}\n{%- endif %}\n{%- if messages[0]['role'] == 'system' %}\n    {%- set system_message = messages[0]['content']|trim %}\n    {%- set messages = messages[1:] %}\n{%- else %}\n    {%- set system_message = \"\" %}\n{%- endif %}\n{%- if builtin_tools is defined or tools is not none %}{{- \"Environment: ipython\\n\" }}{%- endif %}\n{%- if builtin_tools is defined %}\n    {{- \"Tools: \" + builtin_tools | reject('equalto', 'code_interpreter') | join(\", \") + \"\\n\\n\"}}\n{%- endif %}\n{%- for t in tools %}{{- t | tojson(indent=4) }}{{- \"\\n\\n\" }}{%- endfor %}\n{%- for message in messages %}\n    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}\n        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}\n    {%- elif 'tool_calls' in message %}\n        {%- if not message.tool_calls|length == 1 %}\n            {{- raise_exception(\"This model only supports single tool-calls at once!\") }}\n        {%- endif %}\n        {%- set tool_call = message.tool_calls[0].function %}\n        {%- for arg_name, arg_val in tool_call.arguments | items %}\n            {{- arg_name + '=\"' + arg_val + '\"' }}\n            {%- if not loop.last %}{{- \", \" }}{%- endif %}\n        {%- endfor %}\n    {%- endif %}\n{%- endfor %}",
    // Qwen 3
    "{%- if tools %}\n    {{- '<|im_start|>system\\n' }}\n    {%- for tool in tools %}\n        {{- \"\\n\" }}\n        {{- tool | tojson }}\n    {%- endfor %}\n{%- endif %}\n{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}\n{%- for message in messages[::-1] %}\n    {%- set index = (messages|length - 1) - loop.index0 %}\n    {%- if ns.multi_step_tool and message.role == \"user\" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}\n        {%- set ns.multi_step_tool = false %}\n        {%- set ns.last_query_index = index %}\n    {%- endif %}\n{%- endfor %}\n{%- for message in messages %}\n    {%- set reasoning_content = '' %}\n    {%- if message.reasoning_content is string %}\n        {%- set reasoning_content = message.reasoning_content %}\n    {%- else %}\n        {%- if '</think>' in content %}\n            {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}\n            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}\n        {%- endif %}\n    {%- endif %}\n    {%- if loop.last or (not loop.last and reasoning_content) %}\n        {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}\n    {%- endif %}\n{%- endfor %}\n{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}",
    // Mistral with tools
    "{%- if messages[0][\"role\"] == \"system\" %}\n{%- set system_message = messages[0][\"content\"] %}\n{%- set loop_messages = messages[1:] %}\n{%- else %}\n{%- set loop_messages = messages %}\n{%- endif %}\n{%- if not tools is defined %}{%- set tools = none %}{%- endif %}\n{%- set user_messages = loop_messages | selectattr(\"role\", \"equalto\", \"user\") | list %}\n{%- set ns = namespace() %}\n{%- set ns.index = 0 %}\n{%- for message in loop_messages %}\n{%- if not (message.role == \"tool\" or (message.tool_calls is defined and message.tool_calls is not none)) %}\n{%- if (message[\"role\"] == \"user\") != (ns.index % 2 == 0) %}{{- raise_exception(\"roles must alternate\") }}{%- endif %}\n{%- set ns.index = ns.index + 1 %}\n{%- endif %}\n{%- endfor %}\n{{- bos_token }}\n{%- for tool in tools %}{%- set tool = tool.function %}{{- '{\"type\": \"function\", \"function\": {' }}{%- for key, val in tool.items() if key != \"return\" %}{%- if val is string %}{{- '\"' + key + '\": \"' + val + '\"' }}{%- else %}{{- '\"' + key + '\": ' + val|tojson }}{%- endif %}{%- if not loop.last %}{{- \", \" }}{%- endif %}{%- endfor %}{{- \"}}\" }}{%- endfor %}",
    // Gemma
    "{{ bos_token }}{%- set first_user_prefix = messages[0]['content'][0]['text'] + '\n\n' -%}{%- for message in messages -%}{%- if (message['role'] == 'assistant') -%}{%- set role = \"model\" -%}{%- else -%}{%- set role = message['role'] -%}{%- endif -%}{{ '<start_of_turn>' + role + '\n' + (first_user_prefix if loop.first else \"\") }}{%- if message['content'] is iterable -%}{%- for item in message['content'] -%}{%- if item['type'] == 'image' -%}{{ '<start_of_image>' }}{%- endif -%}{%- endfor -%}{%- endif -%}{{ '<end_of_turn>\n' }}{%- endfor -%}",
    // DeepSeek R1
    "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, is_tool=false, is_output_first=true, system_prompt='') %}{%- for message in messages %}{%- if message['role'] == 'system' %}{% set ns.system_prompt = message['content'] %}{%- endif %}{%- endfor %}{{bos_token}}{{ns.system_prompt}}{%- for message in messages %}{%- if message['role'] == 'assistant' and message['content'] is none %}{%- set ns.is_tool = false -%}{%- for tool in message['tool_calls']%}{{'<｜Assistant｜>' + tool['type'] + tool['function']['name'] + '\\n' + '```json' + '\\n' + tool['function']['arguments'] + '\\n' + '```'}}{%- endfor %}{%- endif %}{%- if message['role'] == 'assistant' and message['content'] is not none %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{'<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>'}}{%- endif %}{%- endfor -%}",
    // Hermes: a recursive macro, dict literals, inline conditions
    "{%- macro json_to_python_type(json_spec) %}\n{%- set basic_type_map = {\n    \"string\": \"str\",\n    \"number\": \"float\",\n    \"integer\": \"int\",\n    \"boolean\": \"bool\"\n} %}\n{%- if basic_type_map[json_spec.type] is defined %}\n    {{- basic_type_map[json_spec.type] }}\n{%- elif json_spec.type == \"array\" %}\n    {{- \"list[\" +  json_to_python_type(json_spec|items) + \"]\"}}\n{%- elif json_spec.type is iterable %}\n    {{- \"Union[\" }}\n    {%- for t in json_spec.type %}\n      {{- json_to_python_type({\"type\": t}) }}\n      {%- if not loop.last %}{{- \",\" }}{%- endif %}\n    {%- endfor %}\n    {{- \"]\" }}\n{%- else %}\n    {{- \"Any\" }}\n{%- endif %}\n{%- endmacro %}{{ json_to_python_type(tools[0]) }}{{ 'a' if tools|length > 1 else 'b' }}",
    // Command R with a system prompt about tools
    "{{ bos_token }}{% set default_system_message = '## Task and Context\\nYou help people answer their questions. You may use tools such as `os.system` only when told.' %}{% for tool in tools %}{{ 'def ' + tool.name + '(' }}{% for name, field in (tool.parameter_definitions|items) %}{{ name }}: {{ field.type }}{% if not loop.last %}, {% endif %}{% endfor %}{{ ') -> List[Dict]:\\n    \"\"\"' }}{% endfor %}",
    // Schemas of tools with macros, namespaces of lists, and keys named like methods
    "{%- macro typescript(spec, indent='') -%}{%- set ns = namespace(parts=[]) -%}{%- for key, value in spec.properties | dictsort -%}{%- set ns.parts = ns.parts + [key ~ ': ' ~ typescript(value, indent + '  ')] -%}{%- endfor -%}{%- if spec.format or spec.get('format') in ['date'] -%}{{ spec['format'] }}{%- endif -%}{{ ns.parts | join(', ') }}{{ spec.items | map('upper') | list }}{%- endmacro -%}{% set intro = 'You are {}.' %}{{ intro.format(name) }}{{ '{:02d}'.format(loop.index) }}{% for kind in ['a', 'b'] %}{{ message[kind] }}{{ message[kind ~ '_calls'] }}{% endfor %}{{ typescript(tools[0]) | indent(2) }}{{ messages | map(attribute='role') | unique | list }}",
    // What Hugging Face adds for training
    "{% for message in messages %}{%- if message.role == 'assistant' %}{%- generation %}{{ message.content }}{%- endgeneration %}{%- endif %}{% if loop.index > 3 %}{% break %}{% else %}{% continue %}{% endif %}{% endfor %}",
    "{% for m in messages if m.role not in ['system'] %}{{ '%s: %s' | format(m.role, m.content) }}{{ m['name'] | default('user', true) | upper }}{% endfor %}{{ messages | map(attribute='content') | join('\n') }}",
];

#[test]
fn templates_of_known_models_are_clean() {
    for text in HONEST {
        assert_eq!(ids(text), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn python_internals_are_seen_however_they_are_spelled() {
    for text in [
        "{{ cycler.__init__.__globals__.os.popen('echo harmless').read() }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''['__class__'] }}",
        "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}",
        "{{ ''['__cl' ~ 'ass__'] }}",
        "{{ ''['__cl' '' + 'ass__'] }}",
        "{{ x|attr('__glo' + 'bals__') }}",
        "{{ x|attr(['__glo','bals__']|join) }}",
        "{{ x|attr('%sclass%s'|format('__', '__')) }}",
        "{{ x|attr('%sclass%s' % ('__', '__')) }}",
        "{{ x|attr('__ssalc__'|reverse) }}",
        "{{ x|attr('XXclassXX'|replace('X', '_')) }}",
        "{{ x|attr('__ssalc__'[::-1]) }}",
        "{% set a = '__cla' %}{% set b = 'ss__' %}{{ x[a ~ b] }}",
        "{% set a, b = '__cla', 'ss__' %}{{ x[a ~ b] }}",
        "{{ [x]|map(attribute='__class__.__init__') | list }}",
        "{{ [x]|map('attr', '__class__') | list }}",
        "{{ dict(__clas=1, s__=2)|join }}",
        "{{ '{0.__class__.__init__}'.format(x) }}",
        "{{ '{}class{}'.format('__', '__') }}",
        "{{ self._TemplateReference__context.cycler }}",
        "{{ (x|string).gi_frame.f_globals }}",
        "{{ open('/etc/hostname').read() }}",
        "{% macro m() %}{% if true %}{{ lipsum.__globals__ }}{% endif %}{% endmacro %}",
        "{% include '../../secret' %}",
        "{% include ['a', '/etc/passwd'] %}",
        "{% set ns = namespace(a='__cla') %}{{ x[ns.a ~ 'ss__'] }}",
        "{% set ns = namespace() %}{% set ns.a = '__cla' %}{{ x|attr(ns.a ~ 'ss__') }}",
        "{% set d = {'a': '__cla', 'b': 'ss__'} %}{{ x[d.a ~ d['b']] }}",
        "{% set d = {'a': '__cla', 'b': 'ss__'} %}{{ x[d.values()|join] }}",
        "{% set n = namespace(s='') %}{% for c in ['__cla', 'ss__'] %}{% set n.s = n.s ~ c %}{% endfor %}{{ x[n.s] }}",
        "{% for c in ['class'] %}{{ x[('_' * 2) ~ c ~ ('_' * 2)] }}{% endfor %}",
        "{{ m('_class_') }}{% macro m(n) %}{{ x['_' ~ n ~ '_'] }}{% endmacro %}",
        "{{ x|attr('class'.center(9, '_')) }}",
        "{{ x|attr('_x_xcxlxaxsxsx_x_'[::2]) }}",
        "{{ x|attr(['__cla', 'ss__']|sum(start='')) }}",
        "{{ x|attr('xx__class__xx'.strip('x')) }}",
        "{{ x|attr('__CLASS__'|lower) }}",
        "{{ x|attr('__a b class__'.split()|last|replace('class', '__class')) }}",
        "{{ x|attr(['__CLA', 'SS__']|map('lower')|join) }}",
        "{{ x|attr('{a}class{a}'.format(a='__')) }}",
        "{{ x|attr(y|default('__cla') ~ 'ss__') }}",
        "{% set k %}__{{ 'class' }}__{% endset %}{{ x[k] }}",
        "{{ ('{0.__cla' ~ 'ss__}').format(x) }}",
    ] {
        assert!(ids(text).contains(&"template.injection"), "{text}: {:?}", ids(text));
    }
}

#[test]
fn what_minijinja_does_not_parse_is_read_word_by_word() {
    assert_eq!(ids("{% trans %}{{ x.__class__ }}{% endtrans %}"), ["template.injection"]);
    assert_eq!(ids("{% unheard of %}{{ ''['\\x5f_cla' ~ 'ss__'] }}"), ["template.injection"]);
    assert_eq!(ids("{% unheard of %}{{ x }}"), ["template.unreadable"]);
}

#[test]
fn ranges_and_repetitions_are_counted() {
    for text in [
        "{% for i in range(10**9) %}x{% endfor %}",
        "{% set n = 99999 %}{% for i in range(n) %}{% for j in range(n) %}x{% endfor %}{% endfor %}",
        "{{ 'a' * 1000000000 }}",
        "{{ 10 ** 10 ** 10 }}",
        "{{ 'a'.ljust(10**9) }}",
        "{{ messages|string|indent(10**9) }}",
        "{{ '{:>999999999}'.format(x) }}",
        "{{ '%999999999d' % 1 }}",
        "{% set ns = namespace(s='a') %}{% for m in messages %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(s='a') %}{% for m in messages %}{% set ns.s = [ns.s, ns.s]|join %}{% endfor %}",
    ] {
        assert_eq!(ids(text), ["template.bomb"], "{text}");
    }
    let doubled = format!("{{% set a = 'a' %}}{}", "{% set a = a ~ a %}".repeat(30));
    assert!(ids(&doubled).contains(&"template.bomb"));
    assert!(
        ids("{% set ns = namespace(s='') %}{% for m in messages %}{% set ns.s = ns.s ~ m %}{% endfor %}")
            .is_empty()
    );
    assert!(
        ids("{% for i in range(10) %}{% for j in range(messages|length) %}x{% endfor %}{% endfor %}")
            .is_empty()
    );
}

#[test]
fn other_files_and_foreign_objects_are_shown() {
    assert_eq!(ids("{% import 'macros.jinja' as m %}{{ m.x() }}"), ["template.include"]);
    assert_eq!(ids("{{ config.items() }}"), ["template.computed-name"]);
    for text in [
        "{{ x|attr(bos_token) }}",
        "{{ [x]|map(attribute=bos_token)|list }}",
        "{{ messages|groupby(eos_token) }}",
        "{{ messages|sort(attribute=bos_token) }}",
        "{{ messages[0].content.format(x) }}",
        "{% set f = '{}'.format %}{{ f(x) }}",
        "{{ x['636c617373'|unhex] }}",
    ] {
        assert_eq!(ids(text), ["template.computed-name"], "{text}");
    }
}

#[test]
fn long_expressions_and_loops_cost_little() {
    let started = "{{ ('x' * 500)".to_owned();
    let filters = format!("{started}{} }}}}", "|reverse".repeat(190) + &"|novel".repeat(190)).repeat(60);
    assert!(judge(&filters).assessment() <= bastide_types::Assessment::Review);
    let list = format!("[{}]", "'a',".repeat(60));
    let inner = "{{ ('x' * 400)|reverse|reverse }}".repeat(2_000);
    let loops = format!("{{% for a in {list} %}}{{% for b in {list} %}}{inner}{{% endfor %}}{{% endfor %}}");
    assert!(judge(&loops).assessment() <= bastide_types::Assessment::Review);
}

#[test]
fn deep_expressions_do_not_overflow() {
    for text in [
        format!("{{{{ {} }}}}", "a~".repeat(100_000)),
        format!("{{{{ a{} }}}}", ".b".repeat(100_000)),
        format!("{{{{ a{} }}}}", "|b".repeat(100_000)),
        format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(20_000)),
        format!("{{{{ {}a }}}}", "not ".repeat(50_000)),
        format!("{{{{ {}1 }}}}", "-".repeat(50_000)),
        format!("{{{{ {}1{} }}}}", "(".repeat(390), ")".repeat(390)),
        format!("{{{{ {}1 }}}}", "not ".repeat(390)),
        format!("{{{{ a{} }}}}", "~b".repeat(390)),
    ] {
        let _ = judge(&text);
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC*", inner in "[ a-z_.|()'\"~+%{}\\[\\]0-9\\\\]*") {
        let _ = judge(&text);
        let _ = judge(&format!("{{{{ {inner} }}}}{{% {inner} %}}"));
    }
}

/// Every text of `texts` with every one of `names` in the place of `NAME`.
fn filled(texts: &[&str], names: &[&str]) -> Vec<String> {
    texts.iter().flat_map(|text| names.iter().map(|name| text.replace("NAME", name))).collect()
}

#[test]
fn marks_of_prompts_are_texts() {
    let texts = [
        "{{ 'NAME' }}",
        "{{ '<NAME>' ~ m.content }}",
        "{{ 'NAME' + m.content }}",
        "{{ m.content|replace('NAME', '<img>') }}",
        "{{ m.content.replace('NAME', 'x') }}",
        "{{ m.content.split('NAME')[0] }}",
        "{% if m.role == 'NAME' %}a{% endif %}",
        "{% if 'NAME' in m.content %}a{% endif %}",
        "{% if m.role in ['NAME', 'user'] %}a{% endif %}",
        "{% if m.content.startswith('NAME') %}a{% endif %}",
        "{{ x|default('NAME') }}",
        "{{ ['NAME', 'b']|join(' ') }}",
        "{{ parts|join('NAME') }}",
        "{% set k = 'NAME' %}{{ k }}{{ m[role] }}",
        "{% set k %}NAME{% endset %}{{ k ~ m.content }}",
        "{% set d = {'NAME': '<img>'} %}{{ d['NAME'] }}",
        "{% set d = {'image': 'NAME'} %}{{ d['image'] }}{{ d[m.type] }}",
        "{% macro mark(kind) %}{{ kind }}{% endmacro %}{{ mark('NAME') }}",
        "{% macro at(m, key) %}{{ m[key] }}{% endmacro %}{{ at(m, 'role') }}{{ 'NAME' }}",
        "{% for t in ['NAME', 'b'] %}{{ t }}{% endfor %}",
        "{% for t in ['NAME'] %}{{ m.content.count(t) }}{% endfor %}",
        "{% set ns = namespace(t='NAME') %}{{ ns.t }}{% set ns.t = 'x' %}",
        "{% set parts = m.content.split('NAME') %}{{ table[parts[0]] }}",
        "{% if not loop.first %}{{ raise_exception('no NAME here') }}{% endif %}",
        "{{ 'NAME' if m.image else '' }}",
        "{{ 'NAME'|upper }}{{ 'a'.join(['NAME']) }}",
        "{{ '%s NAME' % m.role }}{{ '{} NAME'.format(m.role) }}",
    ];
    let names = ["__image__", "__media__", "__eos__", "eng__Latn", "__USER__"];
    for text in filled(&texts, &names) {
        assert_eq!(ids(&text), Vec::<&str>::new(), "{text}");
    }
    for text in [
        "{% set __x__ = 1 %}{{ __x__ }}",
        "{% set __x = 1 %}{{ __x }}",
        "{% for __m__ in messages %}{{ __m__.content }}{% endfor %}",
        "{{ __bos__ }}",
        "{% set lang = 'eng__Latn' %}{{ lang ~ langs[lang] }}",
        "{{ 'def __init__(self):' }}",
        "{{ '__{}__'.format(m.role) }}",
        "{% set sentinel = '__NOT_A_NUMBER__' %}{% if v|int(default=sentinel) != sentinel %}a{% endif %}",
    ] {
        assert_eq!(ids(text), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn names_are_followed_to_where_they_are_looked_up() {
    let ways = [
        "{% set k = 'NAME' %}{{ USE(k) }}",
        "{% set k %}NAME{% endset %}{{ USE(k) }}",
        "{% set k, j = 'NAME', 1 %}{{ USE(k) }}",
        "{% for k in ['NAME'] %}{{ USE(k) }}{% endfor %}",
        "{% for k in messages or ['NAME'] %}{{ USE(k) }}{% endfor %}",
        "{% set d = {'k': 'NAME'} %}{{ USE(d.k) }}",
        "{% set d = {'NAME': 1} %}{% for k in d %}{{ USE(k) }}{% endfor %}",
        "{% for k in dict(NAME=1) %}{{ USE(k) }}{% endfor %}",
        "{% set ns = namespace(k='') %}{% set ns.k = 'NAME' %}{{ USE(ns.k) }}",
        "{% macro g(k) %}{{ USE(k) }}{% endmacro %}{{ g('NAME') }}",
        "{% macro g(a, k) %}{{ USE(k) }}{% endmacro %}{{ g(k='NAME', a=1) }}",
        "{% macro g(k='NAME') %}{{ USE(k) }}{% endmacro %}{{ g() }}",
        "{% macro g() %}{{ USE(varargs[0]) }}{% endmacro %}{{ g('NAME') }}",
        "{% macro g(k) %}{{ USE(k) }}{% endmacro %}{% set h = g %}{{ h('NAME') }}",
        "{% macro n() %}NAME{% endmacro %}{{ USE(n()) }}",
        "{% macro n() %}{% if a %}{{ 'NAME' }}{% endif %}{% endmacro %}{{ USE(n()|trim) }}",
        "{% macro g(k) %}{{ caller(k) }}{% endmacro %}{% call(k) g('NAME') %}{{ USE(k) }}{% endcall %}",
        "{% set l = [] %}{% do l.append('NAME') %}{{ USE(l[0]) }}",
        "{% with k = 'NAME' %}{{ USE(k) }}{% endwith %}",
        "{{ USE(y|default('NAME')) }}",
        "{{ USE(cycler('NAME').next()) }}",
        "{{ USE('NAME' if y else 'role') }}",
        "{{ USE(y or 'NAME') }}",
        "{{ USE('NAMEzz'|novel) }}",
        "{{ USE('NAME zz'|truncate(9, true, '', 0)|trim) }}",
        "{{ USE(('a NAME').split(y)[1]) }}",
    ];
    let uses =
        ["x|attr(K)", "x[K]", "[x]|map(attribute=K)|list", "[x]|map('attr', K)|list", "x|sort(attribute=K)"];
    for way in filled(&ways, &["__class__", "__globals__"]) {
        for used in uses {
            let (before, rest) = way.split_once("USE(").expect("each way ends in a use");
            let mut depth = 1;
            let end = rest.find(|c| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                depth == 0
            });
            let (name, after) = rest.split_at(end.expect("each use is closed"));
            let text = format!("{before}{}{}", used.replace('K', &format!("({name})")), &after[1..]);
            assert!(ids(&text).contains(&"template.injection"), "{text}: {:?}", ids(&text));
        }
    }
    for text in [
        "{{ x|attr(*['__class__']) }}",
        "{{ [x]|map(**{'attribute': '__class__'})|list }}",
        "{{ [x]|join(',', '__class__') }}",
        "{{ [x]|sum('__class__') }}",
        "{{ [x]|max(false, '__class__') }}",
        "{{ [[x]]|map('map', 'attr', '__class__')|list }}",
        "{% macro g(o, k) %}{{ o['__' ~ k ~ '__'] }}{% endmacro %}{{ g(x, 'class') }}",
        "{% for f in messages or ['{0.__class__}'] %}{{ f.format(x) }}{% endfor %}",
        "{{ x|attr(messages[0].content) }}",
        "{{ x|attr(messages[0]['content']|trim) }}",
        "{{ x|attr('CLASS'|novel('_')) }}",
        "{{ x|attr(request.args.name) }}",
    ] {
        assert!(ids(text).contains(&"template.injection"), "{text}: {:?}", ids(text));
    }
}

#[test]
fn macros_that_never_end_are_bombs() {
    for text in [
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f(n) %}x{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
        "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% macro f(n) %}{% if n %}{% for i in [1, 2] %}{{ f(n - 1) }}{% endfor %}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% macro f(n) %}{% if n %}{{ g(n - 1) }}{{ g(n - 1) }}{% endif %}{% endmacro %}{% macro g(n) %}{{ f(n) }}{% endmacro %}{{ f(60) }}",
    ] {
        assert_eq!(ids(text), ["template.bomb"], "{text}");
    }
    let mut laughs = "{% macro m0() %}ha{% endmacro %}".to_owned();
    for n in 1..12 {
        let call = format!("{{{{ m{}() }}}}", n - 1);
        laughs += &format!("{{% macro m{n}() %}}{}{{% endmacro %}}", call.repeat(10));
    }
    assert!(ids(&(laughs + "{{ m11() }}")).contains(&"template.bomb"));
    let mut grown = "{% set a0 = 'ha' %}".to_owned();
    for n in 1..12 {
        grown += &format!("{{% set a{n} = {} %}}", vec![format!("a{}", n - 1); 10].join(" ~ "));
    }
    assert!(ids(&grown).contains(&"template.bomb"));
    for text in [
        "{% for i in range(90000) %}{{ 'x' * 9000 }}{% endfor %}",
        "{% macro f() %}{% for i in range(90000) %}xxxxxxxxxxxx{% endfor %}{% endmacro %}{% for i in range(900) %}{{ f() }}{% endfor %}",
    ] {
        assert!(ids(text).contains(&"template.bomb"), "{text}");
    }
    for text in [
        "{% macro t(spec, depth=0) %}{% if spec.items %}{{ t(spec.items, depth + 1) }}{% endif %}{% for p in spec.of %}{{ t(p, depth + 1) }}{% endfor %}{% endmacro %}{{ t(tools[0]) }}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
        "{% macro pad(n) %}{% for i in range(n) %} {% endfor %}{% endmacro %}{{ pad(8) }}",
        "{% set n = 10 * 1000000000 %}{{ n }}",
    ] {
        assert_eq!(ids(text), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn names_put_together_out_of_sight_are_followed() {
    for text in [
        // What `int` and `float` give where there is no number.
        "{% set a = 'z'|int('__class__') %}{{ x[a] }}",
        "{% set a = 'z'|float(default='__class__') %}{{ x[a] }}",
        "{% set i = 'z'|int('__init__') %}{% set c = cycler %}{% set a = c[i] %}{{ a }}",
        // Names of arguments.
        "{% macro f(v) %}{% for k in kwargs %}{% set q = v[k] %}{{ q }}{% endfor %}{% endmacro %}{{ f(cycler, __init__=1) }}",
        "{% macro f(k) %}{{ x[k] }}{% endmacro %}{{ f(**{'k': messages or '__init__'}) }}",
        // What macros print, by whatever statement.
        "{% macro f(u, n) %}{{ u }}{{ u }}{{ n }}{{ u }}{{ u }}{% endmacro %}{% set c = cycler %}{{ c[f('_', 'init')] }}",
        "{% macro n() %}{% filter trim %}__class__{% endfilter %}{% endmacro %}{{ x[n()] }}",
        "{% macro n() %}{% for m in none or [] %}{% else %}__class__{% endfor %}{% endmacro %}{{ x[n()] }}",
        // Pieces beside what nobody knows.
        "{% set u = messages[0]['role'][:0] ~ '_' %}{% set a = u ~ u ~ 'init' ~ u ~ u %}{{ x[a] }}",
        "{% set n = namespace(a='') %}{% for c in '-class-' %}{% set n.a = n.a ~ (c if c != '-' else '__') %}{% endfor %}{{ x[n.a] }}",
        "{% set n = namespace(a='') %}{% for c in '-class-' %}{% if c == '-' %}{% set n.a = n.a ~ '__' %}{% else %}{% set n.a = n.a ~ c %}{% endif %}{% endfor %}{{ x[n.a] }}",
    ] {
        assert!(ids(text).contains(&"template.injection"), "{text}: {:?}", ids(text));
    }
    for text in [
        "{% set u = m.role[:0] ~ '_' %}{{ x[u ~ u ~ 'code' ~ u ~ u] }}",
        "{% macro f(u, n) %}{{ u }}{{ u }}{{ n }}{{ u }}{{ u }}{% endmacro %}{{ x[f('_', m.role)] }}",
        "{% set t = m.role[:0] ~ 'a_b' %}{% set u = t[1:2] %}{{ x[u ~ u ~ 'code' ~ u ~ u] }}",
        "{% set t = m.role[:0] ~ 'AAcodeAA' %}{{ x[t|replace('A', '_')] }}",
        "{% set n = 0 if m.role else 95 %}{{ x['%c%ccode%c%c' % (n, n, n, n)] }}",
    ] {
        assert_eq!(ids(text), ["template.computed-name"], "{text}");
    }
    for text in [
        "{% set n = v|int(default='none') %}{{ messages[n] }}",
        "{{ table[v|int(0)] }}{{ messages[v.split('__')|length] }}{{ messages[v.find('_')] }}",
        "{% macro f(v) %}{% for k in kwargs %}{{ v[k] }}{% endfor %}{% endmacro %}{{ f(m, tool_calls=1) }}",
        "{% macro f(u, n) %}{{ u }}-{{ n }}{% endmacro %}{{ table[f('tool_calls', m.role)] }}",
        "{{ table[m.role ~ '_' ~ m.kind] }}{{ table[m.role + '_calls'] }}{{ table['tool_' ~ m.role] }}",
        "{% set ns = namespace(sep='__', at=0) %}{% set ns.sep = '_' ~ m.role %}{{ ns.sep }}{{ messages[ns.at] }}",
        "{% for key in m.keys or ['tool_calls', 'reasoning_content'] %}{{ m[key] }}{% endfor %}",
        "{% set key = 'tool_calls' if m.tool_calls else 'content' %}{{ m[key] }}",
        "{% set names = {'user': 'user_name', 'tool': 'tool_name'} %}{{ m[names[m.role]] }}",
        "{% set rule %}{{ '_' * 20 }}{% endset %}{{ rule }}{{ m[role] }}",
    ] {
        assert_eq!(ids(text), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn large_templates_take_little_time() {
    let started = std::time::Instant::now();
    let macros = |many: usize, calls: usize, condition: &str| {
        let body =
            |at: usize| (1..=calls).map(|n| format!("{{{{m{}(n-1)}}}}", (at + n) % many)).collect::<String>();
        let one = |at| format!("{{% macro m{at}(n) %}}{condition}{}{{% endif %}}{{% endmacro %}}", body(at));
        (0..many).map(one).collect::<String>()
    };
    assert!(ids(&macros(256, 60, "{% if n %}")).contains(&"template.bomb"));
    let hot = "{% set a='__x__' %}".repeat(6_000) + &"{% set b=a %}".repeat(9_000);
    assert_eq!(ids(&hot), Vec::<&str>::new());
    let names = |letter: char| (0..9_000).map(|n| format!("{letter}{n}, ")).collect::<String>();
    let several = format!("{{% set {}z = {}y %}}", names('q'), names('r'));
    assert_eq!(ids(&several), Vec::<&str>::new());
    let called = format!("{{% macro f({}z) %}}{{% endmacro %}}{}", names('q'), "{{ f(1) }}".repeat(9_000));
    assert_eq!(ids(&called), Vec::<&str>::new());
    assert!(started.elapsed() < std::time::Duration::from_secs(10), "{:?}", started.elapsed());
}
