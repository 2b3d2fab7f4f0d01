"""A pool that is told not to wait for its threads returns at once."""

from concurrent.futures import ThreadPoolExecutor


async def stop(pool: ThreadPoolExecutor) -> None:
    pool.shutdown(wait=False, cancel_futures=True)


async def stop_and_wait(pool: ThreadPoolExecutor) -> None:
    pool.shutdown(wait=True)  # flagged
