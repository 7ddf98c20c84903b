"""What a micrograph job shows of its results: `logfile.pdf` and `summary.html`."""
