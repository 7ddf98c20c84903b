"""From posterior weights to sums."""
