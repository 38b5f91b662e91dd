"""Replies in one piece and as streams, in every shape that the SDK has a type for."""

import json

import pytest
from conftest import through_bastide, tool, user


def text_of(stream) -> str:
    return "".join(choice.delta.content or "" for chunk in stream for choice in chunk.choices)


def test_chat(client):
    reply = client.chat.completions.create(model="mock", messages=user("hello"))
    assert "one wall" in reply.choices[0].message.content
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.total_tokens > 0


def test_stream(client):
    stream = client.chat.completions.create(model="mock", messages=user("hello"), stream=True)
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks).startswith("A bastide is a town")
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_stream_with_usage(client):
    stream = client.chat.completions.create(
        model="mock-usage", messages=user("hello"), stream=True, stream_options={"include_usage": True}
    )
    last = list(stream)[-1]
    assert last.choices == [] and last.usage.total_tokens == 46


@pytest.mark.parametrize("pieces", ["", "-1", "-3"])
def test_echo_is_the_same_whole_and_streamed(client, pieces):
    said = "Straße, café, 漢字 and 🏰: \"quoted\" \\ back\n\ttabbed"
    model = f"mock-echo{pieces}"
    whole = client.chat.completions.create(model=model, messages=user(said))
    assert whole.choices[0].message.content == said
    assert text_of(client.chat.completions.create(model=model, messages=user(said), stream=True)) == said


def test_tool_call(client):
    reply = client.chat.completions.create(model="mock-tools", messages=user("weather?"), tools=[tool("weather")])
    [call] = reply.choices[0].message.tool_calls
    assert (call.type, call.function.name) == ("function", "weather")
    assert json.loads(call.function.arguments)["city"] == "Villefranche"
    assert reply.choices[0].finish_reason == "tool_calls"


def test_parallel_tool_calls_streamed_in_pieces(client):
    names = ["weather", "clock", "map"]
    stream = client.chat.completions.create(
        model="mock-parallel-2", messages=user("everything"), tools=[tool(n) for n in names], stream=True
    )
    calls = {}
    for chunk in stream:
        for delta in chunk.choices[0].delta.tool_calls or []:
            call = calls.setdefault(delta.index, {"id": delta.id, "name": delta.function.name, "arguments": ""})
            call["arguments"] += delta.function.arguments or ""
    assert [call["name"] for call in calls.values()] == names
    assert all(call["id"] for call in calls.values())
    assert all(json.loads(call["arguments"])["days"] == 3 for call in calls.values())


def test_the_stream_helper_assembles_tool_calls(client):
    with client.chat.completions.stream(
        model="mock-tools-1", messages=user("weather?"), tools=[tool("weather")]
    ) as stream:
        final = stream.get_final_completion()
    [call] = final.choices[0].message.tool_calls
    assert json.loads(call.function.arguments)["days"] == 3


def test_a_tool_result_comes_back(client):
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rodez"}'}}
    messages = [
        *user("weather in Rodez?"),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": '{"degrees": 21}'},
    ]
    reply = client.chat.completions.create(model="mock", messages=messages, tools=[tool("weather")])
    assert reply.choices[0].message.content


def test_n_choices(client):
    reply = client.chat.completions.create(model="mock", messages=user("hello"), n=3)
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    said = {0: "", 1: "", 2: ""}
    for chunk in client.chat.completions.create(model="mock-echo-2", messages=user("thrice"), n=3, stream=True):
        for choice in chunk.choices:
            said[choice.index] += choice.delta.content or ""
    assert said == {0: "thrice", 1: "thrice", 2: "thrice"}


def test_logprobs(client):
    reply = client.chat.completions.create(model="mock-echo", messages=user("hello"), logprobs=True, top_logprobs=1)
    [token] = reply.choices[0].logprobs.content
    assert (token.token, token.logprob) == ("hello", -0.25)
    stream = client.chat.completions.create(
        model="mock-echo-2", messages=user("hello"), logprobs=True, top_logprobs=1, stream=True
    )
    tokens = [t.token for c in stream for choice in c.choices if choice.logprobs for t in choice.logprobs.content]
    assert "".join(tokens) == "hello"


def test_refusal(client):
    reply = client.chat.completions.create(model="mock-refusal", messages=user("hello"))
    assert reply.choices[0].message.refusal == "I cannot help with that."
    stream = client.chat.completions.create(model="mock-refusal", messages=user("hello"), stream=True)
    assert "".join(c.choices[0].delta.refusal or "" for c in stream) == "I cannot help with that."


def test_annotations(client):
    reply = client.chat.completions.create(model="mock-annotations", messages=user("hello"))
    assert reply.choices[0].message.annotations[0].url_citation.title == "Bastides"


def test_fields_that_the_sdk_does_not_know(client, mock):
    reply = client.chat.completions.create(
        model="mock-unknown", messages=user("hello"), extra_body={"x_vendor": {"Keep": [1.50, None, "as is"]}}
    )
    assert reply.choices[0].message.model_extra["x_unknown"]["deep"][1] == "kept"
    assert json.loads(mock.last_body())["x_vendor"] == {"Keep": [1.5, None, "as is"]}
    stream = client.chat.completions.create(model="mock-reasoning", messages=user("hello"), stream=True)
    thought = [(c.choices[0].delta.model_extra or {}).get("reasoning_content") or "" for c in stream]
    assert "".join(thought) == "First the wall, then the gates."


@pytest.mark.parametrize("style", ["crlf", "comments", "split"])
def test_streams_in_other_styles(client, style):
    stream = client.chat.completions.create(model=f"mock-{style}", messages=user("hello"), stream=True)
    assert text_of(stream) == "Une bastide près de Villefranche-de-Rouergue: à l'été, 夏の城壁 🏰 and naïve café."


def test_a_long_conversation(client):
    messages = [m for i in range(200) for m in (*user(f"question {i}"), {"role": "assistant", "content": "a" * 500})]
    reply = client.chat.completions.create(model="mock-echo", messages=[*messages, *user("the last one")])
    assert reply.choices[0].message.content == "the last one"


def test_a_big_reply(client):
    reply = client.chat.completions.create(model="mock-huge-2", messages=user("hello"))
    assert len(reply.choices[0].message.content) > 2_000_000


def test_models(client):
    assert {"mock", "mock-echo"} <= {model.id for model in client.models.list()}


@through_bastide
def test_one_model(client):
    assert client.models.retrieve("mock").id == "mock"
