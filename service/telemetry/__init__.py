"""What the service says of itself: metrics, spans, logs, and the middleware that observes every request."""
