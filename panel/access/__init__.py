"""Who may come in and who may act: passwords, sessions, and the gate in front of the panel. It draws no page of it."""
