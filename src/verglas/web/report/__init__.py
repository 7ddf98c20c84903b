"""The session report, as a page and as a PDF."""
