"""Proving a strategy on recorded rates, by the conventions of docs/market.md §2: the pilot itself flies, in a world that is a tape."""
