"""The benchmark that kills the stack's own processes at random and looks at what is left."""
