"""How busy the processor was since the last question is known at once; over a second from now is not."""

import psutil
from fastapi import FastAPI

app = FastAPI()


@app.get("/load")
async def load() -> dict[str, float]:
    return {
        "now": psutil.cpu_percent(),
        "named": psutil.cpu_percent(interval=None),
        "positional": psutil.cpu_percent(None),
        "waited": psutil.cpu_percent(interval=1),  # flagged
    }


@app.get("/load/each")
async def each() -> list[float]:
    return psutil.cpu_percent(0.5, percpu=True)  # flagged
