"""From images and poses to posterior weights."""
