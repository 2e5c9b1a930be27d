"""The Logs page's parts: what is asked for, how records look, what is taken along."""
