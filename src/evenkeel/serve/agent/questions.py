"""The user's message: the question and what is attached to it, as a row of the history. Pure."""

from __future__ import annotations

from typing import Any

from evenkeel.serve.agent.settings import HistorySettings
from evenkeel.serve.ports.failures import RunRefusedError
from evenkeel.serve.ports.requests import Attachment, RunRequest

QUESTION_BYTES = 512 * 1024


def checked(request: RunRequest, bounds: HistorySettings) -> None:
    """Raises `RunRefusedError` (INVALID_REQUEST) for what cannot be a question."""
    if not request.user_id.strip():
        raise _refused("user_id is empty", "Say whose request it is.")
    if not request.question.strip():
        raise _refused("question is empty", "Ask something.")
    try:
        size = len(request.question.encode())
        attached = sum(len(each.content.encode()) for each in request.attachments)
    except UnicodeEncodeError:
        raise _refused("a text holds a lone surrogate", "Send valid UTF-8.") from None
    if size > QUESTION_BYTES:
        raise _refused(f"the question has {size} bytes; the bound is {QUESTION_BYTES}", "Attach long texts in parts.")
    if len(request.attachments) > bounds.attachments or attached > bounds.attachment_bytes:
        raise _refused(
            f"{len(request.attachments)} attachments of {attached} bytes; the bounds are {bounds.attachments} of "
            f"{bounds.attachment_bytes}",
            "Send fewer or smaller ones.",
        )


def content_of(request: RunRequest) -> str:
    """The question with the texts that are attached to it."""
    texts = [request.question, *(_titled(each) for each in request.attachments if not _is_picture(each))]
    return "\n\n".join(text for text in texts if text).replace("\0", "\N{REPLACEMENT CHARACTER}")


def parts_of(request: RunRequest) -> tuple[dict[str, Any], ...]:
    """The same in parts, if there are pictures; else ()."""
    pictures = [each for each in request.attachments if _is_picture(each)]
    if not pictures:
        return ()
    images = ({"type": "image_url", "image_url": {"url": each.content}} for each in pictures)
    return ({"type": "text", "text": content_of(request)}, *images)


def title_of(request: RunRequest) -> str:
    """For a session that has none: the first 20 characters of its first message."""
    return " ".join(request.question.replace("\0", " ").split())[:20]


def _titled(attachment: Attachment) -> str:
    return f"[{attachment.name or 'attachment'}]\n{attachment.content}" if attachment.content else ""


def _is_picture(attachment: Attachment) -> bool:
    return attachment.content.startswith("data:image/")


def _refused(reason: str, hint: str) -> RunRefusedError:
    return RunRefusedError("INVALID_REQUEST", f"{reason[0].upper()}{reason[1:]}.", hint=hint)
