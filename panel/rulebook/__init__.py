"""Rules that somebody brings to the panel: read, checked, tried in processes of their own, and taken along."""
