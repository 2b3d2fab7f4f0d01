import functools
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING
from fastapi import FastAPI

if TYPE_CHECKING:
    from app.other import Other

app = FastAPI()
log = logging.getLogger(__name__)
prompts: dict[str, str] = {}
_config: dict[str, str] | None = None
TEMPLATE = Path("template.html").read_text()

def config() -> dict[str, str]:
    global _config
    if _config is None:
        _config = json.loads(Path("config.json").read_text())
    return _config

@functools.lru_cache
def schema() -> str:
    return Path("schema.json").read_text()

def prompt(name: str) -> str:
    if name not in prompts:
        prompts[name] = Path(name).read_text()
    return prompts[name]

def version() -> str:
    return Path("VERSION").read_text()

@app.get("/")
async def page(other: "Other") -> str:
    print("page")
    log.info("page %s", config()["name"])
    return TEMPLATE + schema() + prompt("greeting") + version()  # flagged
