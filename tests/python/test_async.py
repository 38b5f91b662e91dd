"""The asynchronous client, many at once, and callers who leave."""

import asyncio
import time

import openai
from conftest import user


def run(gateway, work):
    async def within():
        async with openai.AsyncOpenAI(
            base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=20
        ) as client:
            return await work(client)

    return asyncio.run(within())


def test_many_at_once(gateway):
    async def one(client, number):
        said = f"number {number}"
        if number % 2:
            reply = await client.chat.completions.create(model="mock-echo", messages=user(said))
            return reply.choices[0].message.content == said
        stream = await client.chat.completions.create(model="mock-echo-2", messages=user(said), stream=True)
        return "".join([c.choices[0].delta.content or "" async for c in stream]) == said

    async def all_of_them(client):
        return await asyncio.gather(*(one(client, number) for number in range(40)))

    assert all(run(gateway, all_of_them))


def test_errors(gateway):
    async def fails(client):
        try:
            await client.chat.completions.create(model="mock-retry-3", messages=user("hello"))
        except openai.RateLimitError as error:
            return error.response.headers["retry-after"]

    assert run(gateway, fails) == "3"


def test_chunks_arrive_as_they_are_made(gateway):
    async def gaps(client):
        begun = time.monotonic()
        stream = await client.chat.completions.create(model="mock-drip-50", messages=user("hello"), stream=True)
        return [time.monotonic() - begun async for _ in stream]

    times = run(gateway, gaps)
    assert times[0] < 1.0
    # 40 events 50 ms apart: a relay that collected them would deliver them all at the end.
    assert times[-1] - times[0] > 1.0
    assert times[len(times) // 2] < times[-1] - 0.5


def test_leaving_a_stream_stops_the_upstream(gateway, mock):
    before = mock.stats()["abandoned"]

    async def leaves(client):
        stream = await client.chat.completions.create(model="mock-drip-100", messages=user("hello"), stream=True)
        async for _ in stream:
            break
        await stream.close()

    run(gateway, leaves)
    assert mock.wait_for("abandoned", before + 1)


def test_leaving_before_the_answer_stops_the_upstream(gateway, mock):
    before = mock.stats()["abandoned"]

    async def leaves(client):
        try:
            await client.chat.completions.create(model="mock-hang", messages=user("hello"), timeout=0.3)
        except openai.APITimeoutError:
            return True

    assert run(gateway, leaves)
    assert mock.wait_for("abandoned", before + 1)


def test_a_cancelled_task_leaves_the_client_usable(gateway):
    async def cancels(client):
        task = asyncio.create_task(client.chat.completions.create(model="mock-hang", messages=user("hello")))
        await asyncio.sleep(0.1)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        reply = await client.chat.completions.create(model="mock-echo", messages=user("still here"))
        return reply.choices[0].message.content

    assert run(gateway, cancels) == "still here"
