"""What can be told of a rule from its text alone: one check a file. Nothing is run here, and nothing is evaluated."""
