"""Subset selection: classes, values, thresholds."""
