"""The canvas: the graph of the document, drawn, edited and watched while it trains."""
