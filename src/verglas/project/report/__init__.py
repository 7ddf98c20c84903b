"""What a project tells in a report: facts collected once, and sections made of them (pieces: jobs/report)."""
