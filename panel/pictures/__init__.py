"""Pages of the panel as pictures: taken by a Chromium of this machine, without a screen, with a caption above."""
