"""What watches: Prometheus, Alertmanager, the trace store, and how to start and stop them."""
