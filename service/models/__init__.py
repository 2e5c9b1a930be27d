"""Model profiles: one file each, and the store of their artifacts."""
