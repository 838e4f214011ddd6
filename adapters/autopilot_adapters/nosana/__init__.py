"""Nosana: markets with one administered price for each GPU model, paid in NOS by the second while a job runs."""
