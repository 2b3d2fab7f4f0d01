import asyncio
import gzip
import hashlib
import io
import json
import zipfile
from pathlib import Path
import httpx
import markdown
import yaml
from argon2 import PasswordHasher
from fastapi import FastAPI, UploadFile
from PIL import Image

app = FastAPI()
hasher = PasswordHasher()

@app.on_event("startup")
async def seed() -> None:
    hasher.hash("admin")

@app.post("/password")
async def change(password: str) -> str:
    return hasher.hash(password)  # flagged

@app.post("/derived")
async def derived(password: str) -> str:
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), b"salt", 600_000)  # flagged
    return key.hex()

@app.post("/avatar")
async def avatar(file: UploadFile) -> bytes:
    image = Image.open(io.BytesIO(await file.read()))  # flagged
    image = image.resize((64, 64))
    out = io.BytesIO()
    image.save(out, "png")
    return out.getvalue()

@app.post("/text")
async def text(body: str) -> str:
    settings = yaml.safe_load(Path("settings.yml").read_text())
    digest = hashlib.sha256(body.encode()).hexdigest()
    return markdown.markdown(body) + digest + json.dumps(settings)

@app.post("/pack")
async def pack(names: list[str]) -> bytes:
    small = gzip.compress(json.dumps(names).encode())
    with zipfile.ZipFile("all.zip", "w") as archive:
        archive.writestr("names", small)
    return small

@app.get("/dump")
async def dump(client: httpx.AsyncClient) -> bytes:
    return gzip.decompress((await client.get("https://example.org")).content)  # flagged

@app.post("/pooled")
async def pooled(password: str) -> str:
    return await asyncio.get_running_loop().run_in_executor(None, hasher.hash, password)
