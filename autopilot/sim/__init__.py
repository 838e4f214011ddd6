"""A simulated world: recorded or generated rates, and nodes that obey the same verbs as real ones."""
