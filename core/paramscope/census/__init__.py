"""Every tensor of a model: what it is, its gradient, and who steps it, as plain rows."""
