"""What the stack's own parts manage: the trace store's ingest and search."""
