import aiosql
import asyncpg

queries = aiosql.from_path("app/sql", "asyncpg")


async def names(connection: asyncpg.Connection, keys: list[int]) -> list[str]:
    """What a method does stands in the file that its name is in."""
    found = []
    for key in keys:
        row = await queries.find_user(connection, id=key)  # flagged
        found.append(row["name"])
    return found


async def rename(connection: asyncpg.Connection, keys: list[int]) -> None:
    """A write of each: another rule's."""
    for key in keys:
        await queries.rename_user(connection, id=key, name="")
# file: app/sql/users.sql
-- name: find_user^
SELECT id, name FROM users WHERE id = :id;

-- name: rename-user!
UPDATE users SET name = :name WHERE id = :id;
