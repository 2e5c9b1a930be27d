"""The embedded trace store: OTLP/HTTP in, Jaeger's query API and readable pages out, one SQLite file in between.

It stands in where there is no Jaeger. It never changes a span, samples nothing, and binds loopback only.
"""
