"""The user's own rules: a Prometheus and an Alertmanager beside the stack's, which see nothing but one dialect."""
