"""Whether all is well with the configuration, the host, the networks and the state file; each trouble with its remedy."""
