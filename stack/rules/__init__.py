"""Rule files: read them, change their pace, have promtool judge them. No PromQL is evaluated here."""
