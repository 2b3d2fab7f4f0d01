"""`/v1`, as OpenAI names things."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Struct

from evenkeel.serve.ports.documents import says


class CompletionUsage(Struct):
    """Tokens, as OpenAI names them."""

    prompt_tokens: Annotated[int, says("Sent")]
    completion_tokens: Annotated[int, says("Received")]
    total_tokens: Annotated[int, says("Both")]


class CompletionText(Struct):
    """The assistant's message."""

    role: Annotated[Literal["assistant"], says("Always `assistant`")]
    content: Annotated[str, says("The text")]
    refusal: Annotated[None, says("Always null")]


class CompletionChoice(Struct):
    """The answer; there is one."""

    index: Annotated[int, says("Always 0")]
    message: Annotated[CompletionText, says("The message")]
    logprobs: Annotated[None, says("Always null")]
    finish_reason: Annotated[Literal["stop"], says("Always `stop`: tools run on the server")]


class CompletionAnswer(Struct):
    """A chat completion."""

    id: Annotated[str, says("Names the session: `chatcmpl-…`")]
    object: Annotated[Literal["chat.completion"], says("Always `chat.completion`")]
    created: Annotated[int, says("Unix time, seconds")]
    model: Annotated[str, says("As asked")]
    choices: Annotated[list[CompletionChoice], says("One")]
    usage: Annotated[CompletionUsage, says("Tokens of the turn")]


class Model(Struct):
    """A name that a request may give as its model."""

    id: Annotated[str, says("The name")]
    object: Annotated[Literal["model"], says("Always `model`")]
    created: Annotated[int, says("Always 0")]
    owned_by: Annotated[str, says("`evenkeel`")]


class ModelList(Struct):
    """The models."""

    object: Annotated[Literal["list"], says("Always `list`")]
    data: Annotated[list[Model], says("All")]


class OpenAIProblem(Struct):
    """What went wrong, as OpenAI's clients read it."""

    message: Annotated[str, says("For people")]
    type: Annotated[str, says("The kind of error")]
    param: Annotated[str | None, says("Always null")]
    code: Annotated[str | None, says("The code, in lower case")]


class OpenAIError(Struct):
    """An error of `/v1`."""

    error: Annotated[OpenAIProblem, says("What went wrong")]
