"""Figures of virtual drills: how long they take, the matrix, the judge against promtool, the corpus, memory."""
