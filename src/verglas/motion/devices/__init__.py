"""Where frames are worked on: one interface, its arrays and kernels per kind of device."""
