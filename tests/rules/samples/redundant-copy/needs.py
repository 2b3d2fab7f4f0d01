import copy
import json
import logging

log = logging.getLogger(__name__)
STATE: dict[str, list[str]] = {}

class Chat:
    def __init__(self, messages: list[dict[str, str]]) -> None:
        self.messages = messages

    def logged(self) -> None:
        log.debug("chat %s", copy.deepcopy(self.messages))  # flagged

    async def asked(self, client) -> str:
        snapshot = copy.deepcopy(self.messages)
        answer = await client.post(snapshot)
        return answer

    def size(self) -> int:
        mine = copy.deepcopy(self.messages)  # flagged
        return sum(len(each["text"]) for each in mine)

    def trimmed(self) -> list[dict[str, str]]:
        mine = copy.deepcopy(self.messages)
        for each in mine:
            each["text"] = each["text"][:100]
        return mine

    def kept(self, other) -> None:
        other.history = copy.deepcopy(self.messages)

def merged(left: dict[str, int], right: dict[str, int]) -> dict[str, int]:
    both = left.copy()
    both.update(right)
    return both

def expired(paused: dict[str, float], now: float) -> None:
    for key in copy.deepcopy(paused):
        if paused[key] < now:
            del paused[key]

def expired_later(paused: dict[str, float], now: float) -> None:
    seen = copy.deepcopy(paused)
    for key in seen:
        if paused[key] < now:
            del paused[key]

def closed(names: set[str]) -> None:
    for name in set(names):
        names.discard(name)

def dumped(state: dict[str, int]) -> str:
    return json.dumps(dict(state))  # flagged

def counted(rows) -> int:
    kept = list(rows)
    return len(kept) + len(kept)

def watched(state: dict[str, list[str]]) -> None:
    before = copy.deepcopy(state)
    state["a"].append("b")
    log.info("before %s", before)


class Board:
    def __init__(self) -> None:
        self.states: dict[str, str] = {}

    def published(self) -> str:
        """Another thread may add to it meanwhile: needs context."""
        return json.dumps(self.states.copy())

    async def published_on_the_loop(self) -> str:
        return json.dumps(self.states.copy())  # flagged
