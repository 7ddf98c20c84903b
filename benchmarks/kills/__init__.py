"""Killing commands and requests at every event of the file system: what is killed, and how it is judged."""
