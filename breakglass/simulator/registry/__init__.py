"""A simulated container registry, version 2.8, with the faults that it has in life."""
