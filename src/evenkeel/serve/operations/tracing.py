"""Traces, as an extra (`otel`): spans of requests, runs, model and tool calls, sent in batches by a thread of the SDK's own.

Names follow OpenTelemetry's HTTP and GenAI conventions; the latter are still in development, so they may change with a
minor version. There are no spans per token.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from evenkeel.kernel.errors import ConfigurationError
from evenkeel.serve.operations.settings import OperationsSettings
from evenkeel.serve.ports.spans import Attributes, Span, SpanKind


@contextmanager
def open_tracing(settings: OperationsSettings, version: str) -> Iterator[Any | None]:
    """A tracer, or None where no collector is configured. Leaving sends what waits.

    Raises `ConfigurationError` when a collector is configured and the extra is not installed.
    """
    if not settings.trace_endpoint:
        yield None
        return
    provider = _provider(settings, version)
    try:
        yield provider.get_tracer("evenkeel.serve", version)
    finally:
        provider.shutdown()


def _provider(settings: OperationsSettings, version: str) -> Any:
    try:
        trace = import_module("opentelemetry.sdk.trace")
        export = import_module("opentelemetry.sdk.trace.export")
        sampling = import_module("opentelemetry.sdk.trace.sampling")
        resources = import_module("opentelemetry.sdk.resources")
        otlp = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"operations.trace_endpoint is set, but {error.name} is not installed.",
            hint="pip install 'evenkeel[serve,otel]'",
        ) from None
    provider = trace.TracerProvider(
        sampler=sampling.ParentBased(sampling.TraceIdRatioBased(settings.trace_ratio)),
        resource=resources.Resource.create({"service.name": "evenkeel", "service.version": version}),
    )
    address = f"{settings.trace_endpoint.rstrip('/')}/v1/traces"
    provider.add_span_processor(export.BatchSpanProcessor(otlp.OTLPSpanExporter(endpoint=address)))
    return provider


class TracedSpans:
    """`Spans` over OpenTelemetry."""

    def __init__(self, tracer: Any) -> None:
        trace = import_module("opentelemetry.trace")
        self._tracer = tracer
        self._kinds = {SpanKind.INTERNAL: trace.SpanKind.INTERNAL, SpanKind.CLIENT: trace.SpanKind.CLIENT}
        self._error = trace.Status(trace.StatusCode.ERROR)

    @contextmanager
    def span(self, name: str, attributes: Attributes, kind: SpanKind = SpanKind.INTERNAL) -> Iterator[Span]:
        """See the port. What an exception says is not sent: it may quote what somebody wrote."""
        with self._tracer.start_as_current_span(
            name, kind=self._kinds[kind], attributes=dict(attributes), record_exception=False,
            set_status_on_exception=False,
        ) as under_way:  # fmt: skip
            span = _TracedSpan(under_way, self._error)
            try:
                yield span
            except Exception as error:
                span.failed(type(error).__name__)
                raise


@dataclass(frozen=True, slots=True)
class _TracedSpan:
    under_way: Any
    error: Any

    def tell(self, attributes: Attributes) -> None:
        """See the port."""
        self.under_way.set_attributes(dict(attributes))

    def failed(self, kind: str) -> None:
        """See the port."""
        self.under_way.set_attribute("error.type", kind)
        self.under_way.set_status(self.error)


class Traced:
    """One span around each HTTP request, as plain ASGI. A stream's span lasts as long as the stream."""

    def __init__(self, app: ASGIApp, *, tracer: Any) -> None:
        self._app = app
        self._tracer = tracer
        self._extract = import_module("opentelemetry.propagate").extract
        self._kind = import_module("opentelemetry.trace").SpanKind.SERVER

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        attributes = {"http.request.method": scope["method"], "url.path": scope["path"]}
        with self._tracer.start_as_current_span(
            scope["method"], context=self._extract(carrier), kind=self._kind, attributes=attributes
        ) as span:

            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            await self._app(scope, receive, sending)
            route = getattr(scope.get("route"), "path", "")
            if route:
                span.update_name(f"{scope['method']} {route}")
                span.set_attribute("http.route", route)
