"""Akash: a market of leases, in which providers bid and tenants choose."""
