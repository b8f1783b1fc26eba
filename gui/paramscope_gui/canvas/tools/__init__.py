"""What can be done on the canvas, one file an interaction."""
