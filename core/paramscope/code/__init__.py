"""Source to graph and edits to source, statically: nothing is run in order to draw."""
