"""The whole way: a web hook at a real server, a real run of the agent, an answer at the provider."""

from __future__ import annotations

import asyncio
import json

from tests.queues import until
from tests.serve.channels.test_channel_flow import Provider
from tests.serve.servers import KEY, running
from tests.storages import Place


async def test_a_message_is_answered_by_the_agent_through_the_outbox(place: Place) -> None:
    provider = Provider()
    listening = await asyncio.start_server(provider.handle, "127.0.0.1", 0)
    provider.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    accounts = {"sms": {"desk": {"outbound_url": f"{provider.url}/sms"}}}
    async with (
        listening,
        running(place, channels__accounts=accounts, channels__allow_targets=["127.0.0.0/8"]) as server,
    ):
        body = {
            "channel": "sms",
            "account_id": "desk",
            "peer": {"kind": "dm", "id": "p"},
            "type": "text",
            "text": "hello",
        }
        answers = [
            await server.http.post(
                "/wunder/channel/sms/webhook", content=json.dumps({**body, "text": text}), headers={"x-api-key": KEY}
            )
            for text in ("echo: first", "echo: second")  # the second waits for the first, in the same session
        ]
        sessions = [answer.json()["data"]["session_ids"] for answer in answers]
        assert sessions[0] == sessions[1]
        await until(lambda: len(provider.calls) == 2)
        assert [sent["text"] for sent in provider.texts()] == ["first", "second"]
        assert provider.texts()[0]["meta"]["session_id"] == sessions[0][0]
        refused = await server.http.post("/wunder/channel/sms/webhook", content=json.dumps(body))
        assert refused.status_code == 401
