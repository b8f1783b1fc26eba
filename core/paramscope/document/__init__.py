"""The document: an immutable value, its commands, its history and its files."""
