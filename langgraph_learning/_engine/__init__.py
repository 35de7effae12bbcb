"""How learning happens: flows that yield effects, and the driver that carries them out."""
