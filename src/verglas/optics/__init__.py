"""Contrast transfer, aberrations and dose damage of the microscope."""
