"""Bayesian polishing: particles followed through their movies."""
