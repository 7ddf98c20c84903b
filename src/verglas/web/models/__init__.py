"""Shapes of the answers, so that the API's description is typed; what may be absent has a default.

Answers are made as plain values and sent as they are; a test holds them against these.
"""
