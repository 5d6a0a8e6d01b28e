"""Training: rows and seeds, one loop, checkpoints, weights, metrics."""
