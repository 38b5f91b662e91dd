"""Every error class of the SDK, raised by what should raise it."""

import time

import openai
import pytest
from conftest import DIRECT, free_port, through_bastide, user


@pytest.fixture(autouse=True)
def healthy(client):
    """A success before each test: bastide stops asking an upstream that has failed many times in a row."""
    ask(client)


def ask(client, model="mock", **options):
    return client.chat.completions.create(model=model, messages=user("hello"), **options)


def read(stream) -> int:
    return sum(1 for _ in stream)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "status, error",
    [
        (400, openai.BadRequestError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
        (529, openai.InternalServerError),
    ],
)
def test_what_the_upstream_says_is_what_the_caller_hears(client, status, error, stream):
    with pytest.raises(error) as caught:
        ask(client, f"mock-status-{status}", stream=stream)
    assert caught.value.status_code == status
    assert f"status {status}" in caught.value.message


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_provider_credential_is_not_blamed_on_the_caller(client, status):
    if DIRECT:
        error = {401: openai.AuthenticationError, 403: openai.PermissionDeniedError}[status]
        with pytest.raises(error):
            ask(client, f"mock-status-{status}")
    else:
        with pytest.raises(openai.InternalServerError) as caught:
            ask(client, f"mock-status-{status}")
        assert caught.value.code == "upstream.credential"


@pytest.mark.parametrize("stream", [False, True])
def test_retry_after_is_kept(client, stream):
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client, "mock-retry-11", stream=stream)
    assert caught.value.response.headers["retry-after"] == "11"


@through_bastide
@pytest.mark.parametrize("key", ["bst_wrong", "sk-of-somebody-else", "x"])
def test_a_wrong_key(gateway, key):
    with openai.OpenAI(base_url=gateway.base_url, api_key=key, max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError):
            ask(client)
        with pytest.raises(openai.AuthenticationError):
            client.models.list()


@through_bastide
def test_an_image_needs_a_grant(client):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    content = [{"type": "text", "text": "what is this?"}, image]
    with pytest.raises(openai.PermissionDeniedError):
        client.chat.completions.create(model="mock", messages=[{"role": "user", "content": content}])


@through_bastide
def test_a_key_that_differs_in_case_only_is_refused(client):
    with pytest.raises(openai.BadRequestError):
        ask(client, extra_body={"Model": "another"})


def test_no_such_route(client):
    with pytest.raises(openai.NotFoundError):
        client.post("/no/such/route", body={}, cast_to=object)


def test_nobody_listens():
    with openai.OpenAI(base_url=f"http://127.0.0.1:{free_port()}/v1", api_key="any", max_retries=0) as client:
        with pytest.raises(openai.APIConnectionError):
            ask(client)


@pytest.mark.parametrize("model", ["mock-close", "mock-nothttp", "mock-cut"])
def test_an_upstream_that_breaks_off(client, model):
    with pytest.raises(openai.APIConnectionError if DIRECT else openai.InternalServerError) as caught:
        ask(client, model)
    if not DIRECT:
        assert caught.value.status_code == 502


@through_bastide
@pytest.mark.parametrize("model", ["mock-garbage", "mock-type", "mock-encoded"])
def test_an_answer_that_cannot_be_read_is_not_passed_on(client, model):
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, model)
    assert caught.value.status_code == 502


@pytest.mark.skipif(not DIRECT, reason="bastide asks for no encoding and takes none")
def test_the_mock_compresses(client):
    assert "one wall" in ask(client, "mock-encoded").choices[0].message.content


@pytest.mark.parametrize("model, stream", [("mock-hang", False), ("mock-hang", True), ("mock-stall", False)])
def test_the_callers_own_timeout(client, model, stream):
    begun = time.monotonic()
    with pytest.raises(openai.APITimeoutError):
        ask(client, model, stream=stream, timeout=0.4)
    assert time.monotonic() - begun < 5


def test_retries_of_the_sdk_reach_the_upstream(gateway, mock):
    before = mock.stats()["requests"]
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=1) as client:
        with pytest.raises(openai.InternalServerError):
            ask(client, "mock-status-503")
    assert mock.stats()["requests"] >= before + 2


@pytest.mark.parametrize("model", ["mock-cut-5", "mock-error"])
def test_a_stream_that_breaks_off_raises(client, model):
    stream = ask(client, model, stream=True)
    seen = 0
    with pytest.raises(Exception) as caught:
        for _ in stream:
            seen += 1
    assert seen >= 1, "what arrived before the break was delivered"
    if model == "mock-error" or not DIRECT:
        assert isinstance(caught.value, openai.APIError)
    else:
        assert type(caught.value).__name__ in {"RemoteProtocolError", "ReadError", "APIConnectionError"}


@through_bastide
@pytest.mark.parametrize("model", ["mock-end-5", "mock-garbage"])
def test_a_stream_that_only_looks_complete_raises(client, model):
    with pytest.raises(openai.APIError):
        read(ask(client, model, stream=True))


def test_a_stream_that_stalls_runs_into_the_callers_timeout(client):
    stream = ask(client, "mock-stall-3", stream=True, timeout=0.5)
    with pytest.raises(Exception) as caught:
        read(stream)
    assert "timeout" in type(caught.value).__name__.lower()
