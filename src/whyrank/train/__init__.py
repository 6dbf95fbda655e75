"""Training: losses, the body in torch, and adapters over it. Needs the extra `train`."""
