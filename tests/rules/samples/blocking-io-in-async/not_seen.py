import importlib
from fastapi import FastAPI

app = FastAPI()

def load(name: str):
    return importlib.import_module(name)

@app.get("/{name}")
async def run(name: str, store) -> str:
    store.save_everything(name)  # missed: nothing says what `store` is
    return load(name).main()
