"""Live sessions: every movie flows through the chain as it arrives, without rounds.

The jobs are the ordinary ones, in their ordinary directories, with their ordinary files; only who runs
them differs. RELION or Autorun can take over at any moment.
"""
