"""Operations on maps and images: masks, FSC, filters, sharpening (numerics)."""
