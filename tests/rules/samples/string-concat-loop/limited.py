LIMIT = 4096


class Buffer:
    def __init__(self) -> None:
        self.content = ""
        self.whole = ""

    async def relay(self, stream, send) -> None:
        async for event in stream:
            self.content += str(event)
            self.whole += str(event)  # flagged
            if len(self.content) >= LIMIT:
                await send(self.content)
                self.content = ""

    async def relay_elsewhere(self, stream) -> None:
        async for event in stream:
            self.content += str(event)
            is_full = len(self.content) >= LIMIT
            if is_full:
                await self.flush()


def report(checks) -> dict[str, object]:
    found: dict[str, object] = {}
    found["title"] = "Checks"
    found["downtimes"] = 0
    for check in checks:
        found["downtimes"] += check.count
    return found


def totals(checks) -> dict[str, object]:
    found: dict[str, str] = {}
    for check in checks:
        found["all"] += 1
    return found
