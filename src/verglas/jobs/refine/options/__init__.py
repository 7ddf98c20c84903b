"""What a refinement can be asked: forms, flags, and the engine's settings made of them."""
