import asyncio
import concurrent.futures
import threading
from concurrent.futures import ThreadPoolExecutor

from fastapi import FastAPI


app = FastAPI()


def work(number: int) -> int:
    return number + 1


@app.get("/waits")
async def waits(numbers: list[int]) -> list[int]:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        futures = [pool.submit(work, each) for each in numbers]
        concurrent.futures.wait(futures)  # flagged
        return [each.result() for each in futures]


@app.get("/result")
async def result(number: int) -> int:
    pool = ThreadPoolExecutor(2)
    future = pool.submit(work, number)
    return future.result()  # flagged


@app.get("/joined")
async def joined(number: int) -> None:
    thread = threading.Thread(target=work, args=(number,))
    thread.start()
    thread.join()  # flagged


@app.get("/awaited")
async def awaited(number: int) -> int:
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(2) as pool:
        return await loop.run_in_executor(pool, work, number)


@app.get("/wrapped")
async def wrapped(number: int) -> int:
    pool = ThreadPoolExecutor(2)
    return await asyncio.wrap_future(pool.submit(work, number))


@app.get("/asked")
async def asked(number: int) -> int | None:
    pool = ThreadPoolExecutor(2)
    future = pool.submit(work, number)
    await asyncio.sleep(0.1)
    return future.result() if future.done() else None


@app.get("/plain")
def plain(number: int) -> int:
    pool = ThreadPoolExecutor(2)
    return pool.submit(work, number).result()


@app.get("/not-waiting")
async def not_waiting(number: int) -> None:
    pool = ThreadPoolExecutor(2)
    pool.submit(work, number)
    pool.shutdown(wait=False, cancel_futures=True)
