"""One trace put together again from the blocks that its spans lie in: OTLP in, OTLP out, nothing interpreted."""

from __future__ import annotations

from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData


class Assembly:
    """A trace that grows. Spans of equal resource and scope stand together; a span sent again is left out."""

    def __init__(self) -> None:
        self.data = TracesData()
        self.start_ns = 2**64
        self._resources: dict[tuple[bytes, str], ResourceSpans] = {}
        self._scopes: dict[tuple[bytes, str, bytes, str], ScopeSpans] = {}
        self._known: set[tuple[bytes, int, int, str]] = set()

    def add(self, resource: ResourceSpans, scope: ScopeSpans, span: Span) -> None:
        """Copy a span that came with such a resource and scope."""
        identity = (span.span_id, span.kind, span.start_time_unix_nano, span.name)
        if identity in self._known:
            return
        self._known.add(identity)
        self.start_ns = min(self.start_ns, span.start_time_unix_nano)
        self._scope(resource, scope).spans.append(span)

    def _scope(self, resource: ResourceSpans, scope: ScopeSpans) -> ScopeSpans:
        outer = (resource.resource.SerializeToString(deterministic=True), resource.schema_url)
        inner = (*outer, scope.scope.SerializeToString(deterministic=True), scope.schema_url)
        known = self._scopes.get(inner)
        if known is not None:
            return known
        if outer not in self._resources:
            self._resources[outer] = self.data.resource_spans.add(schema_url=resource.schema_url)
            self._resources[outer].resource.CopyFrom(resource.resource)
        made: ScopeSpans = self._resources[outer].scope_spans.add(schema_url=scope.schema_url)
        made.scope.CopyFrom(scope.scope)
        self._scopes[inner] = made
        return made
