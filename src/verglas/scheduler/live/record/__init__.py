"""What a live session keeps on disc: its order, its journal, its settings, its status."""
