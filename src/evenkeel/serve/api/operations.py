"""Every HTTP route of the API, for its OpenAPI document; other rooms bring theirs."""

from __future__ import annotations

from evenkeel.serve.api import shapes
from evenkeel.serve.api.chat_streams import MessageBody
from evenkeel.serve.api.openai_routes import CompletionBody
from evenkeel.serve.api.wunder import WunderBody
from evenkeel.serve.ports.documents import Operation, parameter

WHOLE = {"type": "integer", "minimum": 0}
CURSOR = parameter(
    "after_event_id",
    "query",
    "Go on after this id. 0: from the beginning of the turn at work. None: what comes from now on.",
    WHOLE,
)
LAST = parameter(
    "Last-Event-ID", "header", "As after_event_id, and wins over it: what a browser's EventSource sends.", WHOLE
)
HISTORY = parameter(
    "history",
    "query",
    "`all` with after_event_id=0: from the oldest event that is stored.",
    {"type": "string", "enum": ["all"]},
)
EPOCH = parameter("epoch", "query", "Of the history that the cursor is from; 0 or none = not known.", WHOLE)
MODEL = parameter("model", "path", "Its name", required=True)
AUTH, CHAT = "/wunder/auth", "/wunder/chat"
ONE = f"{CHAT}/sessions/{{session_id}}"

OPERATIONS = (
    Operation(
        "post",
        "/wunder",
        "run",
        shapes.RunAnswer,
        wrapped=False,
        streams=True,
        queues=True,
        summary="Ask for a run on behalf of a user",
        tag="run",
        body=WunderBody,
        errors=(429,),
        security="operator",
    ),
    Operation("get", "/wunder/tools", "listTools", shapes.ToolList, wrapped=False, security="operator"),
    Operation("get", "/wunder/i18n", "listLanguages", shapes.Languages, wrapped=False, security=""),
    Operation("get", "/wunder/agents", "listAgents", shapes.AgentPage),
    Operation("get", "/wunder/agents/shared", "listSharedAgents", shapes.AgentPage),
    Operation("get", "/wunder/agents/running", "listRunningAgents", shapes.RunningAgents),
    Operation("get", "/wunder/workspace/content", "listFolder", shapes.Folder, wrapped=False),
    # accounts
    Operation("post", f"{AUTH}/register", "register", shapes.LoggedIn, errors=(429,), security=""),
    Operation("post", f"{AUTH}/login", "logIn", shapes.LoggedIn, errors=(401, 429), security=""),
    Operation("post", f"{AUTH}/demo", "logInToDemo", shapes.LoggedIn, errors=(403,), security=""),
    Operation("post", f"{AUTH}/setup", "setUp", shapes.LoggedIn, errors=(401,), security=""),
    Operation("get", f"{AUTH}/org_units", "listOrgUnits", shapes.OrgUnits, security=""),
    Operation("get", f"{AUTH}/me", "getMe", shapes.UserProfile),
    Operation("patch", f"{AUTH}/me", "changeMe", shapes.UserProfile),
    Operation("post", f"{AUTH}/logout", "logOut", shapes.LoggedOut),
    # the chat
    Operation("get", f"{CHAT}/transport", "getTransport", shapes.Transport),
    Operation("post", f"{CHAT}/sessions", "createSession", shapes.Session, errors=(404,)),
    Operation("get", f"{CHAT}/sessions", "listSessions", shapes.SessionPage),
    Operation("get", ONE, "getSession", shapes.SessionDetail),
    Operation("delete", ONE, "deleteSession", shapes.Deleted),
    Operation("get", f"{ONE}/events", "getSessionEvents", shapes.SessionEvents),
    Operation("post", f"{ONE}/cancel", "cancelSession", shapes.Cancelled),
    Operation("post", f"{ONE}/tools", "setSessionTools", shapes.ToolOverrides),
    Operation("post", f"{ONE}/system-prompt", "previewSessionPrompt", shapes.Prompt),
    Operation("post", f"{CHAT}/system-prompt", "previewPrompt", shapes.Prompt),
    Operation(
        "post",
        f"{ONE}/messages",
        "sendMessage",
        shapes.RunAnswer,
        streams=True,
        queues=True,
        summary="Say something in a session",
        tag="chat",
        body=MessageBody,
        errors=(429,),
    ),
    Operation(
        "get",
        f"{ONE}/resume",
        "resumeSession",
        streams=True,
        summary="Go on reading a session; ends when nothing is at work in it",
        tag="chat",
        parameters=(CURSOR, LAST, HISTORY, EPOCH),
    ),
    # as OpenAI's clients know an API
    Operation(
        "post",
        "/v1/chat/completions",
        "createCompletion",
        shapes.CompletionAnswer,
        wrapped=False,
        streams=True,
        summary="The agent, as OpenAI's clients know an API",
        tag="openai",
        body=CompletionBody,
        errors=(404, 429),
        security="operator",
    ),
    Operation(
        "get",
        "/v1/models",
        "listModels",
        shapes.ModelList,
        wrapped=False,
        summary="Names that a request may give as its model",
        tag="openai",
        security="operator",
    ),
    Operation(
        "get",
        "/v1/models/{model}",
        "getModel",
        shapes.Model,
        wrapped=False,
        summary="One of them",
        tag="openai",
        errors=(404,),
        security="operator",
        parameters=(MODEL,),
    ),
    # operations
    Operation("get", "/health/live", "live", shapes.Live, wrapped=False, security=""),
    Operation("get", "/health/ready", "ready", shapes.Ready, wrapped=False, security=""),
    Operation("get", "/metrics", "metrics", text="Prometheus' text format", security=""),
)
