"""Typed clients of Prometheus, Alertmanager and Jaeger's query API."""
