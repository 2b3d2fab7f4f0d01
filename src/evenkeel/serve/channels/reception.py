"""Inbound messages: seen before? allowed? a command? else a run. Nothing here waits for a model."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field

import msgspec

from evenkeel.hotpath.ports.bounded import MapRules
from evenkeel.hotpath.ports.cancellation import CancelledBy
from evenkeel.hotpath.ports.threads import AgentThreads
from evenkeel.kernel.errors import EvenkeelError, OverloadedError
from evenkeel.serve.channels.messages import ChannelMessage, ReplyTo
from evenkeel.serve.channels.pace import Pace
from evenkeel.serve.channels.replies import Replies
from evenkeel.serve.channels.settings import AccountSettings, ChannelsSettings
from evenkeel.serve.ports.parts import Parts
from evenkeel.serve.ports.requests import RunRequest
from evenkeel.serve.ports.runs import Begun, Runs

HELP = "/new starts a new conversation, /stop stops the answer. · /new 新建会话，/stop 停止当前回答。"
STARTED = "A new conversation has begun. · 已新建会话。"
STOPPED = "Stopped. · 已停止。"
NOTHING = "There is nothing to stop. · 当前没有正在生成的回答。"
BUSY = "Busy right now, please try again in a moment. · 系统繁忙，请稍后再试。"
COMMANDS = {
    "/new": "new",
    "/reset": "new",
    "/stop": "stop",
    "/cancel": "stop",
    "/help": "help",
    "新会话": "new",
    "停止": "stop",
}


@dataclass(slots=True)
class Accepted:
    """What a call is told, in the contract's words."""

    accepted: int = 0
    session_ids: list[str] = field(default_factory=list)
    outbox_ids: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Reception:
    """Takes messages that were proved genuine."""

    def __init__(self, parts: Parts, runs: Runs, replies: Replies, settings: ChannelsSettings) -> None:
        self._runs = runs
        self._replies = replies
        self._threads: AgentThreads = parts.storage.threads
        self._seen = parts.maps.map(MapRules[str, bool]("channel-messages", settings.seen, settings.seen_s))
        self._pace = Pace(parts.maps, parts.clock)

    async def take(self, account: AccountSettings, message: ChannelMessage, into: Accepted) -> None:
        """Handle one message; what goes wrong is one line in `errors`, and the others go on."""
        if message.message_id:
            key = f"{message.channel}:{message.account_id}:{message.message_id}"
            if self._seen.get(key):
                into.accepted += 1
                into.session_ids.append("")
                return
            self._seen[key] = True
        try:
            await self._handle(account, message, into)
        except EvenkeelError as error:
            if message.message_id:
                self._seen.pop(key, None)  # the provider will send it again
            into.errors.append(error.message)

    async def _handle(self, account: AccountSettings, message: ChannelMessage, into: Accepted) -> None:
        if _denied(account, message):
            into.errors.append("This peer is not allowed.")
            return
        if not message.question:
            into.errors.append("The message holds nothing to answer.")
            return
        to = _reply_to(message)
        session_id = await self._session(account, message)
        words = await self._command(account, message, session_id)
        if words is None and not self._pace.allows(f"{message.channel}:{message.account_id}", account.per_s):
            words = BUSY
        if words is not None:
            into.outbox_ids.append(await self._replies.say(to, session_id, words, uuid.uuid4().hex))
        else:
            session_id = await self._ask(account, message, to, session_id, into)
        into.accepted += 1
        into.session_ids.append(session_id)

    async def _ask(
        self, account: AccountSettings, message: ChannelMessage, to: ReplyTo, session_id: str, into: Accepted
    ) -> str:
        request = RunRequest(
            user_id=_user_id(account, message),
            question=message.question,
            session_id=session_id,
            agent_id=account.agent_id,
            tool_names=account.tools,
            registered=bool(account.user_id),
            request_id=message.message_id or "",
            reply_to=msgspec.to_builtins(to),
        )
        try:
            begun = await self._runs.submit(request)
        except OverloadedError:
            into.outbox_ids.append(await self._replies.say(to, session_id, BUSY, uuid.uuid4().hex))
            return session_id
        if isinstance(begun, Begun):
            await begun.subscription.aclose()  # the run goes on; its answer goes to the outbox
        return begun.session_id

    async def _command(self, account: AccountSettings, message: ChannelMessage, session_id: str) -> str | None:
        match COMMANDS.get((message.text or "").strip().lower()):
            case "new":
                await self._threads.bind(_user_id(account, message), _thread_key(account, message), _new_session_id())
                return STARTED
            case "stop":
                return STOPPED if await self._runs.cancel(session_id, CancelledBy.USER) else NOTHING
            case "help":
                return HELP
        return None

    async def _session(self, account: AccountSettings, message: ChannelMessage) -> str:
        """The conversation's session, the same in every instance and after a restart."""
        user_id, key = _user_id(account, message), _thread_key(account, message)
        thread = await self._threads.main(user_id, key)
        if thread is None:
            thread = await self._threads.bind(user_id, key, _new_session_id())
            thread = await self._threads.main(user_id, key) or thread  # of two at once, both take the winner
        return thread.session_id


def _denied(account: AccountSettings, message: ChannelMessage) -> bool:
    ids = {message.peer.id, message.sender.id if message.sender else message.peer.id}
    allowed = not account.allow_peers or bool(ids & set(account.allow_peers))
    return not allowed or bool(ids & set(account.deny_peers))


def _reply_to(message: ChannelMessage) -> ReplyTo:
    return ReplyTo(message.channel, message.account_id, message.peer, message.thread, message.message_id or "")


def _user_id(account: AccountSettings, message: ChannelMessage) -> str:
    if account.user_id:
        return account.user_id
    who = message.sender.id if message.sender else message.peer.id
    return f"channel_{_digest(message.channel, message.account_id, who)}"


def _thread_key(account: AccountSettings, message: ChannelMessage) -> str:
    """Whose thread it is: the agent's main one, or one of this peer's own (strategy `per_peer`, groups in `hybrid`)."""
    own = account.session == "per_peer" or (account.session == "hybrid" and message.peer.kind not in {"dm", "user"})
    if not own:
        return account.agent_id
    thread = message.thread.id if message.thread else ""
    return f"{account.agent_id}@{_digest(message.channel, message.account_id, message.peer.id, thread)}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _new_session_id() -> str:
    return f"sess_{uuid.uuid4().hex}"
