"""The state before the first iteration."""
