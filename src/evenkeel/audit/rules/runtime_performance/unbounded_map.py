"""A map that only grows

A dict, set, or list that lives as long as the process takes up a key per user, session, document or request, and
nothing ever takes one out: locks per document, results per query, sessions, "already seen". A cache decorator without
a size on a function of request data is the same.

**Why it costs.** It is a leak with good intentions: an entry with a key of 40 characters and an `asyncio.Lock` holds
some 210 bytes (CPython 3.11), a conversation far more; a million sessions are hundreds of megabytes that never come
back, and the process is killed at its limit in the middle of the day.
`lru_cache(maxsize=None)` grows without bound by its own documentation
(https://docs.python.org/3/library/functools.html#functools.lru_cache).

**Do instead.** Give it a bound or an end: a TTL or LRU map (`evenkeel.hotpath.bounded`, cachetools), weak values for
locks, a fixed set of striped locks, or remove the key where the session ends.

**Leave it when** the keys come from a small closed set: languages, models, configured tenants. Where the key's name
suggests one the finding is listed as needing context. A container is left alone as soon as anything in the project
removes from it, binds it anew, looks at its size, gives it another name or passes it on.

```python flags
import asyncio
from collections import defaultdict
from functools import lru_cache
from fastapi import FastAPI

app = FastAPI()
locks: dict[str, asyncio.Lock] = {}
history: dict[str, list[str]] = defaultdict(list)
seen: set[str] = set()

@lru_cache(maxsize=None)
def render(text: str) -> str:  # flagged
    return text.upper()

class Sessions:
    def __init__(self) -> None:
        self._by_id: dict[str, dict[str, str]] = {}

    def open(self, session_id: str) -> dict[str, str]:
        if session_id not in self._by_id:
            self._by_id[session_id] = {}  # flagged
        return self._by_id[session_id]

sessions = Sessions()

@app.post("/documents/{document_id}")
async def save(document_id: str, text: str, session_id: str) -> str:
    lock = locks.setdefault(document_id, asyncio.Lock())  # flagged
    async with lock:
        history[document_id].append(text)  # flagged
    seen.add(session_id)  # flagged
    sessions.open(session_id)
    return render(text)
```

```python passes
import asyncio
from cachetools import TTLCache
from functools import lru_cache
from weakref import WeakValueDictionary
from fastapi import FastAPI, WebSocket

app = FastAPI()
results: TTLCache[str, str] = TTLCache(maxsize=1000, ttl=60)
locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
recent: dict[str, str] = {}
handlers: dict[str, object] = {}

@lru_cache(maxsize=256)
def render(text: str) -> str:
    return text.upper()

def register(name: str, handler: object) -> None:
    handlers[name] = handler

register("plain", render)

class Connections:
    def __init__(self) -> None:
        self.active: dict[str, WebSocket] = {}

    def connect(self, user_id: str, socket: WebSocket) -> None:
        self.active[user_id] = socket

    def disconnect(self, user_id: str) -> None:
        self.active.pop(user_id, None)

connections = Connections()

class Work:
    def __init__(self) -> None:
        self.parts: list[str] = []

    def add(self, part: str) -> None:
        self.parts.append(part)

@app.websocket("/ws/{user_id}")
async def talk(user_id: str, socket: WebSocket) -> None:
    connections.connect(user_id, socket)
    work = Work()
    work.add(await socket.receive_text())
    results[user_id] = render(work.parts[0])
    lock = locks.setdefault(user_id, asyncio.Lock())
    async with lock:
        if len(recent) > 100:
            recent.clear()
        recent[user_id] = "here"
    connections.disconnect(user_id)
```
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.facts import Decorator
from evenkeel.audit.model.finding import Confidence, Finding, Step
from evenkeel.audit.model.flow import ancestors
from evenkeel.audit.model.growth import Container, Growth, containers, growths, may_shrink
from evenkeel.audit.model.loops import loop_kind
from evenkeel.audit.model.memo import Memo, endless_memos
from evenkeel.audit.model.places import at_block
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.view import FunctionView, ModuleView

RULE = Rule(title="A map that only grows", severity="MEDIUM", facts=frozenset({"assignments", "classes"}))

CLOSED_SET = re.compile(
    r"(^|_)(type|datatype|tp|kind|cls|class|model|provider|lang|language|locale|method|status|level|plugin|backend|engine|driver"
    r"|dtype|func|fn|function|module|region|currency|env|mode|format|ext|version|feature|tz|timezone|schema|field"
    r"|column|namespace|queue|subject|scope|role|permission|hook|signal|listener|handler|reason|variant|category|label|tag"
    r"|asset|template|feature_flag|(llm|model)_key)(_name)?s?_?$|^name$"
)
REGISTERS = re.compile(r"^_*(register|track|install)")
REQUEST_DATA = re.compile(
    r"(^|_)(ids?|uuid|user|username|query|q|text|url|uri|token|session|email|ip|address|prompt|message|body|payload"
    r"|content|term|search|slug)$"
)
PER_REQUEST = frozenset({"handler", "websocket", "dependency", "consumer", "task"})
FINITE = re.compile(r"bool|Literal|Enum|type\[|Type\[")
BOUND = (
    "Give it a bound or an end: a TTL or LRU map (evenkeel.hotpath.bounded), weak values, striped locks, or remove the "
    "key where its life ends."
)
PLACES = {"module": "module-level", "class": "class-level", "object": "long-lived", "state": "application-level"}


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each lasting container that requests make grow and nothing makes smaller."""
    del context
    if module.kind == "code":
        for container in containers(module):
            growth = next((each for each in growths(module, container) if _by_request(each)), None)
            if growth is not None and not may_shrink(module, container):
                yield _grown(module, growth)
        yield from (_remembered(each) for each in endless_memos(module))
        caching = any(each.target.partition(".")[0] == "functools" for each in module.outline.imports)
        for function in module.functions if caching else ():
            decorator = _endless_cache(module, function)
            if decorator is not None:
                yield _cached(function, decorator)


def _by_request(growth: Growth) -> bool:
    """Whether requests or messages lead here with something that tells them apart."""
    function = growth.place.function
    if growth.container.scope == "object" and function.fact.name == "__init__":
        return False  # the object is being made
    if growth.lock and growth.keys and growth.container.scope == "object":
        return True  # a lock for each key is shared by all who come with that key, as long as they come
    if not growth.container.kept:
        return False
    return bool(growth.keys) and (function.info.hot or bool(PER_REQUEST.intersection(function.info.roles)))


def _grown(module: ModuleView, growth: Growth) -> Finding:
    container = growth.container
    confidence = _confidence(growth)
    step = Step(module.path, container.line, module.functions[0].name)  # where it is bound
    return growth.place.finding(
        "MEDIUM",
        f"`{growth.place.function.fact.name}` adds to the {PLACES[container.scope]} `{_written(container)}` "
        f"{_keyed(growth)}, and nothing in the project ever removes from it",
        BOUND,
        effort="S",
        confidence=confidence,
        path=(growth.place.step, step),
        settled_by="" if confidence == "likely" else f"how many different keys `{_written(container)}` can get",
    )


def _written(container: Container) -> str:
    return f"{container.owner}.{container.name}" if container.owner else container.name


def _keyed(growth: Growth) -> str:
    keys = [each for each in growth.keys if each]
    return f"for each `{keys[0]}`" if keys else "for each new key"


def _confidence(growth: Growth) -> Confidence:
    """At most `likely`: what a key stands for is told by its name, or by the names it is made from."""
    keys = [each for each in growth.keys if each]
    closed = bool(keys) and all(_is_closed(growth, each) for each in keys)
    return "needs-context" if closed or REGISTERS.search(growth.place.function.fact.name) else "likely"


def _is_closed(growth: Growth, key: str) -> bool:
    """Whether a key takes few values: by its name, by those it is made from, or because a loop over constants gives it."""
    function, position = growth.place.function, growth.place.fact.position
    blocks = function.fact.blocks
    around = ancestors(blocks, growth.place.fact.block)
    if any(key in blocks[each].targets and loop_kind(function, each) == "few" for each in around):
        return True
    given = [each for each in function.fact.assignments if key in each.targets and each.position < position]
    made_from = [each for each in given[-1].value.names if not each.startswith("<")] if given else []
    return _is_few(key) or (bool(made_from) and all(_is_few(each) for each in made_from))


def _is_few(chain: str) -> bool:
    return bool(CLOSED_SET.search(chain.rpartition(".")[2].removesuffix("[]").lower()))


# -- cache decorators ----------------------------------------------------------------------------------------------


def _endless_cache(module: ModuleView, function: FunctionView) -> Decorator | None:
    """The decorator that remembers every call of a function that requests reach with data of theirs."""
    if not (function.info.hot or function.role == "handler") or not _tells_calls_apart(function):
        return None
    return next((each for each in function.fact.decorators if _is_endless(module, each)), None)


def _is_endless(module: ModuleView, decorator: Decorator) -> bool:
    root, _, rest = decorator.chain.partition(".")
    targets = {each.name: each.target for each in module.outline.imports}
    name = f"{targets.get(root, root)}.{rest}".rstrip(".")
    if name == "functools.cache":
        return True
    sizes = [each.value.text for each in decorator.arguments if each.keyword in {"", "maxsize"}]
    return name == "functools.lru_cache" and sizes[:1] == ["None"]


def _tells_calls_apart(function: FunctionView) -> bool:
    given = [each for each in function.fact.parameters if each.name not in {"self", "cls"}]
    return any(not FINITE.search(each.annotation) and not _is_few(each.name) for each in given)


def _cached(function: FunctionView, decorator: Decorator) -> Finding:
    line = function.fact.line
    theirs = any(REQUEST_DATA.search(each.name) for each in function.fact.parameters)
    return at_block(function, 0).finding(
        "MEDIUM",
        f"`@{decorator.chain}` keeps every result of `{function.fact.name}` for the life of the process, and requests "
        "call it with data of theirs",
        "Give the cache a size (`lru_cache(maxsize=...)`) or a time to live.",
        effort="S",
        confidence="likely" if theirs else "needs-context",
        settled_by="" if theirs else f"how many different arguments `{function.fact.name}` is called with",
        path=(Step(function.module.path, line, function.name),),
        line=line,
        end_line=line,
    )


def _remembered(each: Memo) -> Finding:
    step = Step(each.decorator.module.path, each.line, each.decorator.name)
    return each.place.finding(
        "MEDIUM",
        f"`{each.store}` in the decorator `{each.decorator.fact.name}` keeps the result of each call with other arguments "
        f"(`{each.used_on.fact.name}` is under it), and nothing ever removes one",
        BOUND,
        effort="S",
        confidence="likely",
        path=(each.place.step, step),
    )
