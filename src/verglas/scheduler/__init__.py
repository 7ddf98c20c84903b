"""Launching jobs, queue submission, Autorun, live streaming, schemes: the only place that starts processes."""
