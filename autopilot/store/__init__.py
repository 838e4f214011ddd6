"""One SQLite file holds all that the autopilot remembers: every quote, every decision, every switch, every cent."""
