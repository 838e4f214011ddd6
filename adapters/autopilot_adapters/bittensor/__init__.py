"""Bittensor: SN51 (lium) as a market for GPUs, and any subnet by the emission of one's own UID."""
