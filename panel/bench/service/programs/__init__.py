"""Programs that the benchmark runs as processes of their own, some of them in environments of their own."""
