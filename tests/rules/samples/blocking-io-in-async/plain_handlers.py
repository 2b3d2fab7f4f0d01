"""Litestar runs a plain `def` on the event loop unless it is told to use a thread."""

from pathlib import Path

from litestar import Controller, Litestar, get, post


@get("/terms")
def terms() -> str:
    return Path("terms.txt").read_text()  # flagged


@get("/notes", sync_to_thread=True)
def notes() -> str:
    return Path("notes.txt").read_text()


class Pages(Controller):
    path = "/pages"

    @post("/", sync_to_thread=False)
    def write(self, text: str) -> None:
        keep(text)  # flagged


def keep(text: str) -> None:
    Path("page.txt").write_text(text)


app = Litestar([terms, notes, Pages])
