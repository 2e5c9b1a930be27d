"""``firedrill check``: rule files through checks, virtual drills and the judge, to one verdict for each alert."""
