"""The demo: the daemon's own loop on a simulated rig, on a clock that is moved by hand."""
