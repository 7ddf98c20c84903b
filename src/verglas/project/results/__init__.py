"""What jobs left behind, read for eyes: micrograph tables, picks, CTF fits, drift, classes, curves.

Facts only: names, numbers, paths relative to the project root. Pictures are made elsewhere.
"""
