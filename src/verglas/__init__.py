"""verglas: single-particle cryo-EM that works while the microscope is still running."""

__version__ = "0.1.0"
