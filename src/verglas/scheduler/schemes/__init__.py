"""RELION's Schemes (3.1: Schedules): jobs and operators joined by edges and forks (pipeline.md §3.11)."""
