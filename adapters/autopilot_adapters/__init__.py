"""The networks that come with the autopilot, each a package of its own that no other one knows."""
