"""Paramscope without its window: documents, their graphs, the census, the rules and the engine."""
