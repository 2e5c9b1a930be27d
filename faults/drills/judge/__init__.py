"""The judge: a real Prometheus of its own evaluates unmodified rules over recorded samples. No PromQL is redone."""
