import requests

LIMIT = 100


def sent(rows: list[str]) -> int:
    batch: list[str] = []

    def flush() -> int:
        count = len(batch)
        requests.post("https://example.org", json=batch)
        batch.clear()
        return count

    total = 0
    for row in rows:
        batch.append(row)
        if len(batch) >= LIMIT:
            total += flush()
    return total + flush()
