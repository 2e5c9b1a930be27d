"""The pages, one per file. A view arranges; it builds no URL and no PromQL."""
