"""The two engines behind one interface: gradcore, and real PyTorch where it is installed."""
