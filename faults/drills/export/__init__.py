"""Drills as unit tests for promtool: what was scraped and what rang, in a file that needs no Firedrill to be run."""
