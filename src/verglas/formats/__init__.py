"""STAR, MRC, TIFF, EER, gain and defect files, label registry, atomic writes."""
