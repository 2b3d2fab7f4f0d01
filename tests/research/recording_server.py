"""A documentation server as a plain script: it writes down every byte that it is sent, and may be told to misbehave.

Speaks no more of the protocol than a client needs. Its orders come by `EVENKEEL_RESEARCH_MODE`, its log goes to the file
named by `EVENKEEL_RESEARCH_LOG`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

MODE = os.environ.get("EVENKEEL_RESEARCH_MODE", "")
LOG = Path(os.environ.get("EVENKEEL_RESEARCH_LOG", os.devnull))
SEARCH = {
    "name": "search_documentation",
    "inputSchema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
}
SNIPPET = "overview: Session basics\nurl: https://docs.sqlalchemy.org/x\nmoduleId: sqlalchemy"


def result(message: dict[str, Any]) -> dict[str, Any] | None:
    match message["method"]:
        case "initialize":
            info = {"name": "recorder", "version": "1"}
            version = message["params"]["protocolVersion"]
            return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
        case "tools/list":
            return {"tools": [SEARCH]}
        case "tools/call":
            return {"content": [{"type": "text", "text": SNIPPET}], "isError": False}
    return None


def main() -> None:
    state = {"environment": dict(os.environ), "folder": str(Path.cwd()), "arguments": sys.argv[1:], "pid": os.getpid()}
    if MODE == "hang":  # with a child of its own that holds the pipes, as package runners do
        state["child"] = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid
    LOG.with_suffix(".state").write_text(json.dumps(state))
    if MODE == "exit":
        sys.exit(3)
    if MODE == "hang":
        time.sleep(600)
    if MODE == "noise":
        print("listening on stdio\n\x00\xff", flush=True)
    with LOG.open("ab") as log:
        for line in sys.stdin.buffer:
            log.write(line)
            log.flush()
            if MODE == "silent":
                continue
            message = json.loads(line)
            if "id" not in message:
                continue
            got = result(message)
            answer = {"result": got} if got is not None else {"error": {"code": -32601, "message": "unknown"}}
            print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}), flush=True)


if __name__ == "__main__":
    main()
