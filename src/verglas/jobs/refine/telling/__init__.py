"""What a refinement says: its log, its progress, what looks wrong before it begins."""
