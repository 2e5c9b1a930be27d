"""The instrumented ML inference service. Production-like; it knows nothing of chaos."""
