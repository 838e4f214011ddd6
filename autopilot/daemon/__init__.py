"""The headless daemon on the rig."""
