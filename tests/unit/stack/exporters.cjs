// Sends one trace of two spans and two log records by OpenTelemetry's own JavaScript exporters (JSON encoding).
// Usage: node exporters.cjs OTLP-URL none|gzip; prints the ids as JSON. Fails where an exporter does.
"use strict";
const path = require("node:path");
const { createRequire } = require("node:module");
const load = createRequire(path.join(process.cwd(), "package.json"));

const { context, trace, SpanKind, SpanStatusCode } = load("@opentelemetry/api");
const { SeverityNumber } = load("@opentelemetry/api-logs");
const { OTLPTraceExporter } = load("@opentelemetry/exporter-trace-otlp-http");
const { OTLPLogExporter } = load("@opentelemetry/exporter-logs-otlp-http");
const { resourceFromAttributes } = load("@opentelemetry/resources");
const { BasicTracerProvider, BatchSpanProcessor } = load("@opentelemetry/sdk-trace-base");
const { BatchLogRecordProcessor, LoggerProvider } = load("@opentelemetry/sdk-logs");

const [url, compression] = process.argv.slice(2);
const resource = resourceFromAttributes({ "service.name": `javascript-${compression}`, "host.cpus": 2 });
const strict = (exporter) => ({
  export: (items, done) =>
    exporter.export(items, (result) => {
      if (result.code !== 0) {
        console.error(result.error);
        process.exitCode = 1;
      }
      done(result);
    }),
  forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  shutdown: () => exporter.shutdown(),
});

async function main() {
  const spans = new BasicTracerProvider({
    resource,
    spanProcessors: [new BatchSpanProcessor(strict(new OTLPTraceExporter({ url: `${url}/v1/traces`, compression })))],
  });
  const logs = new LoggerProvider({
    resource,
    processors: [
      new BatchLogRecordProcessor({ exporter: strict(new OTLPLogExporter({ url: `${url}/v1/logs`, compression })) }),
    ],
  });
  const tracer = spans.getTracer("js-tests", "2.5");
  const outer = tracer.startSpan("outer", { kind: SpanKind.SERVER, attributes: { n: 3, share: 0.5, list: ["a", "b"] } });
  const within = trace.setSpan(context.active(), outer);
  const inner = tracer.startSpan("inner", { kind: SpanKind.CLIENT, links: [{ context: outer.spanContext() }] }, within);
  inner.addEvent("fault.injected", { "fault.kind": "latency" });
  inner.setStatus({ code: SpanStatusCode.ERROR, message: "boom" });
  const logger = logs.getLogger("js-tests");
  logger.emit({
    severityNumber: SeverityNumber.WARN,
    severityText: "WARN",
    body: "größer als 9 007 199 254 740 993",
    attributes: { degrees: 31, huge: 9007199254740991 },
    context: within,
  });
  logger.emit({ severityNumber: SeverityNumber.INFO, body: { event: "late", ms: 12 }, context: within });
  inner.end();
  outer.end();
  await spans.forceFlush();
  await logs.forceFlush();
  await spans.shutdown();
  await logs.shutdown();
  console.log(JSON.stringify({ trace: outer.spanContext().traceId, outer: outer.spanContext().spanId }));
}

main();
