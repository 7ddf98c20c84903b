"""Launching jobs, queue submission, Autorun, live streaming, schemes.

The only place that starts processes.
"""
