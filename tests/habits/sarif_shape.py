"""The part of SARIF 2.1.0 that the audit writes, as types: unknown keys and wrong values are refused.

Written by hand from the standard and from what GitHub code scanning asks for; the published schema is used too where
`$EVENKEEL_SARIF_SCHEMA` names it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Text = Annotated[str, msgspec.Meta(min_length=1)]
Line = Annotated[int, msgspec.Meta(ge=1)]
Level = Literal["error", "warning", "note", "none"]


class Shape(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Keys in camel case, no others."""


class Message(Shape):
    text: Text


class Help(Shape):
    text: Text
    markdown: Text


class Configuration(Shape):
    level: Level


class RuleProperties(Shape):
    tags: Annotated[list[Text], msgspec.Meta(max_length=10)]
    precision: Literal["very-high", "high", "medium", "low"]
    severity: Literal["error", "warning", "recommendation"] = msgspec.field(name="problem.severity")


class Description(Shape):
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class Rule(Shape):
    id: Text
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    short_description: Description
    full_description: Description
    help: Help
    default_configuration: Configuration
    properties: RuleProperties


class Driver(Shape):
    name: Literal["evenkeel"]
    rules: list[Rule]
    version: Text
    semantic_version: Text


class Tool(Shape):
    driver: Driver


class Artifact(Shape):
    uri: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.~%/-]+$")]  # relative and percent-encoded
    uri_base_id: Literal["%SRCROOT%"]


class Region(Shape):
    start_line: Line
    end_line: Line = 1
    start_column: Line = 1
    end_column: Line = 1


class Physical(Shape):
    artifact_location: Artifact
    region: Region


class Logical(Shape):
    fully_qualified_name: Text
    kind: Literal["function"]


class Location(Shape):
    physical_location: Physical
    logical_locations: list[Logical]
    message: Message | None = None


class FlowStep(Shape):
    location: Location


class ThreadFlow(Shape):
    locations: Annotated[list[FlowStep], msgspec.Meta(min_length=1, max_length=1000)]


class CodeFlow(Shape):
    thread_flows: Annotated[list[ThreadFlow], msgspec.Meta(min_length=1)]


class Result(Shape):
    rule_id: Text
    rule_index: int
    level: Level
    message: Message
    locations: Annotated[list[Location], msgspec.Meta(min_length=1, max_length=1)]
    partial_fingerprints: dict[Text, Text]
    properties: dict[str, str | bool]
    code_flows: list[CodeFlow] = []


class Notification(Shape):
    level: Level
    message: Message


class Invocation(Shape):
    execution_successful: bool
    tool_execution_notifications: list[Notification]


class Details(Shape):
    id: Annotated[str, msgspec.Meta(pattern=r"^evenkeel/.*/$")]


class RunShape(Shape):
    tool: Tool
    automation_details: Details
    column_kind: Literal["unicodeCodePoints"]
    invocations: list[Invocation]
    results: Annotated[list[Result], msgspec.Meta(max_length=5000)]


class Log(Shape):
    schema: Text = msgspec.field(name="$schema")
    version: Literal["2.1.0"]
    runs: Annotated[list[RunShape], msgspec.Meta(min_length=1, max_length=1)]
