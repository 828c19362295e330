"""What moves the weights: optimisers, rules for sparse rows, averages, penalties."""
