"""Devices, memory budget, executors, progress: where and how work runs."""
