"""Source to facts: one room a language, a shared cache, and the walk over the tree. Never judges."""
