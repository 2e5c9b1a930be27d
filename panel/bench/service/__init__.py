"""The benchmark of the service: what its telemetry costs, and how it compares with what people commonly build."""
