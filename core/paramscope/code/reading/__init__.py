"""Reading a model's ``__init__`` and ``forward`` by their syntax: layers, sizes, first shapes."""
