"""Scoring and summing straight from the volumes: lists of poses, no stored slices (GPUs)."""
