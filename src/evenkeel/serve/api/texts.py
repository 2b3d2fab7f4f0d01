"""Languages: which one a request asks for, and the texts of the errors that people see. Codes are for programs."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

from evenkeel.serve.api.settings import LANGUAGES

Headers = Mapping[bytes, bytes]
ALIASES = {"zh": "zh-CN", "zh-cn": "zh-CN", "zh-hans": "zh-CN", "zh-hans-cn": "zh-CN", "en": "en-US", "en-us": "en-US"}
SOURCES = (b"x-wunder-language", b"accept-language", b"content-language")

TEXTS: dict[str, tuple[str, str]] = {
    "UNAUTHORIZED": ("需要登录或有效的密钥。", "Log in, or send a valid key."),
    "FORBIDDEN": ("没有权限。", "This is not allowed for this account."),
    "NOT_FOUND": ("未找到。", "There is nothing here."),
    "METHOD_NOT_ALLOWED": ("不支持该方法。", "This address does not take that method."),
    "PAYLOAD_TOO_LARGE": ("请求体过大。", "The request is too large."),
    "INTERNAL_ERROR": ("服务器内部错误。", "The server failed; the trace id names the entry in its log."),
    "USER_BUSY": ("会话正忙，请稍后再试。", "The session is busy; try again shortly."),
    "USER_QUOTA_EXCEEDED": ("今日配额已用完。", "Today's quota is used up."),
    "CANCELLED": ("已取消。", "The run was cancelled."),
    "LLM_UNAVAILABLE": ("没有可用的模型。", "No model is available."),
    "RATE_LIMITED": ("尝试过于频繁，请稍后再试。", "Too many attempts; wait a while."),
    "SERVICE_UNAVAILABLE": ("服务暂时不可用，请稍后再试。", "The service is busy; try again shortly."),
}


def language_of(headers: Headers, query: bytes, default: str) -> str:
    """The first language that is spoken here: headers in the contract's order, then the query."""
    for name in SOURCES:
        found = _first_known(headers.get(name, b"").decode("latin-1"))
        if found:
            return found
    if b"lang" in query:
        asked = parse_qs(query.decode("latin-1"), max_num_fields=50)
        for key in ("lang", "language"):
            found = _first_known(",".join(asked.get(key, ())))
            if found:
                return found
    return default


def text_of(code: str, language: str, otherwise: str = "") -> str:
    """The text of a code in a language; `otherwise` for codes without one."""
    texts = TEXTS.get(code)
    return texts[LANGUAGES.index(language)] if texts and language in LANGUAGES else otherwise


def _first_known(value: str) -> str:
    for part in value[:200].split(","):
        tag = part.partition(";")[0].strip().lower()
        known = ALIASES.get(tag) or ALIASES.get(tag.partition("-")[0])
        if known:
            return known
    return ""
