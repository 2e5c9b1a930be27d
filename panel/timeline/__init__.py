"""The time that all charts of a page share, and what happened in it: faults, stages of alerts, exemplars."""
