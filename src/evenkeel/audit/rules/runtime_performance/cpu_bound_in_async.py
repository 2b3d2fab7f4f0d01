"""Heavy computing on the event loop

Password hashing, image or document work, key generation, compression, a model's inference, or the parsing of something
of unknown size runs inside `async def`, directly or through plain functions in any file. There is nothing to wait for,
so `await` does not help: the loop is busy, and every other request waits.

**Why it costs.** A password hash is slow on purpose: OWASP's minimum for Argon2id is 19 MiB and two passes
(https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html), about 50 ms a hash on a
2.5 GHz core. Twenty logins a second then keep a whole event loop busy with nothing but hashes.

**Do instead.** A bounded pool of its own for hashing (`evenkeel.hotpath.passwords`: a pool, limits before the hash,
and an answer when it is full); for images, documents and archives `await asyncio.to_thread(...)`, because these
libraries release the GIL, or a process pool where they do not
(https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.loop.run_in_executor).

**Leave it when** the input is known to be small: a thumbnail of an icon, a settings file. What only start-up reaches is
not reported. Parsers and in-memory
compression are reported only where the data comes from the network; rendering a template, `json.loads` and plain
hashes never are. Work on a file that the blocking-IO rule reports already (an archive that is read and unpacked) is
reported there.

```python flags
import asyncio
import bcrypt
from fastapi import FastAPI
from PIL import Image

app = FastAPI()

@app.post("/login")
async def login(name: str, password: str, stored: bytes) -> bool:
    return bcrypt.checkpw(password.encode(), stored)  # flagged

def shrink(path: str) -> None:
    image = Image.open(path)
    image.thumbnail((200, 200))
    image.save(path)

async def worker(queue: asyncio.Queue[str]) -> None:
    while True:
        shrink(await queue.get())  # flagged
```

```python flags
# file: app/security.py
from passlib.context import CryptContext

context = CryptContext(schemes=["argon2"])

class Passwords:
    def hash(self, password: str) -> str:
        return context.hash(password)
# file: app/users.py
from app.security import Passwords
from sqlalchemy.ext.asyncio import AsyncSession
from app.models import User

class Users:
    def __init__(self, session: AsyncSession, passwords: Passwords) -> None:
        self.session = session
        self.passwords = passwords

    async def register(self, name: str, password: str) -> User:
        user = User(name=name, password=self.passwords.hash(password))  # flagged
        self.session.add(user)
        await self.session.commit()
        return user
# file: app/models.py
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class User(Base):
    __tablename__ = "users"
    name: Mapped[str] = mapped_column(primary_key=True)
    password: Mapped[str]
```

```python flags
import gzip
import httpx
from bs4 import BeautifulSoup

async def titles(client: httpx.AsyncClient, urls: list[str]) -> list[str]:
    found = []
    for url in urls:
        page = await client.get(url)
        tree = BeautifulSoup(page.text, "html.parser")  # flagged
        found.append(tree.title.string)
    return found

async def dump(client: httpx.AsyncClient) -> bytes:
    answer = await client.get("https://example.org/dump.gz")
    return gzip.decompress(answer.content)  # flagged
```

```python passes
import asyncio
import hashlib
import json
import bcrypt
import yaml
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

app = FastAPI()

@app.post("/login")
async def login(name: str, password: str, stored: bytes) -> bool:
    return await asyncio.to_thread(bcrypt.checkpw, password.encode(), stored)

@app.post("/register")
async def register(password: str) -> bytes:
    return await run_in_threadpool(lambda: bcrypt.hashpw(password.encode(), bcrypt.gensalt()))

@app.post("/plain")
def plain(password: str, stored: bytes) -> bool:
    return bcrypt.checkpw(password.encode(), stored)

@app.post("/etag")
async def etag(body: str) -> str:
    settings = yaml.safe_load(body)
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()
```
"""

from __future__ import annotations

from collections.abc import Iterator

from evenkeel.audit.model.context import ContextStore
from evenkeel.audit.model.effects import Effect
from evenkeel.audit.model.finding import Confidence, Finding
from evenkeel.audit.model.index import Link
from evenkeel.audit.model.once import runs_once
from evenkeel.audit.model.origins import origin_calls
from evenkeel.audit.model.rule import Rule
from evenkeel.audit.model.stalls import Stall, stalls, whereabouts
from evenkeel.audit.model.view import CallView, FunctionView, ModuleView, Reach

RULE = Rule(
    title="Heavy computing on the event loop",
    severity="MEDIUM",
    needs=frozenset({"cpu", "password-hash", "file", "network"}),
)

WORDS = {
    "password": "hashes a password",
    "crypto": "generates keys",
    "image": "works on an image",
    "video": "works on a video",
    "audio": "works on audio",
    "document": "makes or reads a document",
    "model": "runs a model",
    "compression": "compresses data",
    "parse": "parses data of unknown size",
}
PARSERS = frozenset({"json.loads", "orjson.loads", "ujson.loads", "simplejson.loads", "yaml.safe_load", "yaml.load"})
BY_SIZE = frozenset({"compression", "parse"})  # heavy only when the data is large
NEAR_BY = 1  # calls between what is fetched, or parsed, and this function: further off, nobody knows what goes in
NEAR = 3  # lines: several steps of one piece of work are one finding
HASHING = (
    "Hash in a bounded pool of its own (evenkeel.hotpath.passwords), with limits that refuse before they hash; "
    "at the least `await asyncio.to_thread(...)`."
)
COMPUTING = (
    "Run the whole piece of work in a worker thread (`asyncio.to_thread`), or a process pool if it holds the GIL."
)


def check(module: ModuleView, context: ContextStore) -> Iterator[Finding]:
    """One finding for each piece of heavy work in an async function, at the first call of it."""
    del context
    for function in module.functions_reaching(*RULE.needs):
        last = -NEAR - 1
        for stall in _computing(function):
            if stall.call.line - last > NEAR:
                last = stall.call.line
                yield _finding(stall)


def _computing(function: FunctionView) -> list[Stall]:
    """Heavy calls in order of lines; where a line does several things, the hash counts."""
    if runs_once(function.info):  # nobody waits yet
        return []
    found = {each.call.line: each for each in stalls(function, ("cpu",)) if _is_heavy(function, each)}
    found.update((each.call.line, each) for each in _parsed_uploads(function))
    found.update((each.call.line, each) for each in stalls(function, ("password-hash",)))
    return [found[line] for line in sorted(found)]


def _parsed_uploads(function: FunctionView) -> Iterator[Stall]:
    """`json.loads(await file.read())`: what a client uploads may be of any size, whatever is fast for a small text."""
    if not (function.is_async and any(map(_is_upload, function.linked.links))):
        return
    for call in function.calls_of(PARSERS):
        if call.fact.arguments:
            origins = origin_calls(function, call.fact.arguments[0].value, call.fact.position)
            if any(_is_upload(each.link) for each in origins):
                yield Stall(call, Reach.along(Effect("cpu", "parse", blocking=True), (call.step,)), partly=False)


def _is_upload(link: Link) -> bool:
    return link.library.startswith("aiohttp.BodyPartReader.") or any(each.detail == "upload" for each in link.effects)


def _kind(stall: Stall) -> str:
    effect = stall.reach.effect
    return "password" if effect.kind == "password-hash" else effect.detail


def _is_heavy(function: FunctionView, stall: Stall) -> bool:
    kind = _kind(stall)
    if kind not in WORDS:  # templates and texts: small as a rule
        return False
    if kind not in BY_SIZE:
        return True
    return stall.reach.depth <= NEAR_BY and not _waits_for_file(stall) and _is_unbounded(function, stall)


def _waits_for_file(stall: Stall) -> bool:
    """Whether the very call that computes also reads or writes a file, which the blocking-IO rule reports."""
    files = (each.path[-1] for each in stall.call.reaches("file", "subprocess") if each.effect.blocking)
    return stall.reach.path[-1] in files


def _is_unbounded(function: FunctionView, stall: Stall) -> bool:
    """Whether what goes in comes from the network, so that nobody here bounds it."""
    position = stall.call.fact.position
    origins = (made for each in stall.call.fact.arguments for made in origin_calls(function, each.value, position))
    return any(function.role_of(made.link.result) == "response" or _fetches(made) for made in origins)


def _fetches(call: CallView) -> bool:
    near = (each for each in call.reaches("network", "dequeue", "file") if each.depth <= NEAR_BY)
    return any(each.effect.kind != "file" or each.effect.detail == "upload" for each in near)


def _finding(stall: Stall) -> Finding:
    hashes = _kind(stall) == "password"
    handler = stall.call.function.role == "handler"
    return stall.call.finding(
        "HIGH" if hashes and handler else "MEDIUM",
        f"{whereabouts(stall)} {WORDS[_kind(stall)]} on the event loop; nothing else in the process runs meanwhile",
        HASHING if hashes else COMPUTING,
        effort="S" if stall.reach.direct else "M",
        confidence=_confidence(stall),
        path=stall.reach.path,
    )


def _confidence(stall: Stall) -> Confidence:
    return "definite" if stall.certain and _kind(stall) not in BY_SIZE else "likely"
