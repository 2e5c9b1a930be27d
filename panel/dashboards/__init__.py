"""Dashboards drawn in the panel: the JSON that Grafana gets, read, asked and drawn without Grafana."""
