"""The dashboards as data: read from the JSON files that Grafana shows, for whoever draws or asks the same panels."""
