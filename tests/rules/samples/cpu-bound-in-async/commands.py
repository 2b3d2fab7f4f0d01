import asyncio
import functools

import bcrypt
import click
from fastapi import FastAPI

app = FastAPI()


def coro(function):
    @functools.wraps(function)
    def run(*arguments, **named):
        return asyncio.run(function(*arguments, **named))

    return run


@click.group()
def cli() -> None: ...


@cli.group()
def users() -> None: ...


@users.command("new")
@coro
async def create(password: str) -> None:
    """A command of a group within a group: nobody else waits for its loop."""
    click.echo(bcrypt.hashpw(password.encode(), bcrypt.gensalt()))


@app.post("/users")
async def register(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode()  # flagged
