"""What a workshop needs: the projector's look, the tour of six exercises with live checks, presets, a clean state."""
