"""What a person sees of a flight, read from the state file alone: it can command nothing."""
