"""Native kernels, one file a family, and the lowerings that put them in the place of operations."""
