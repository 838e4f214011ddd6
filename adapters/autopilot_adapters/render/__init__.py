"""Render: frames for OctaneBench-hours, and the compute subnet (Dispersed). Every rate is an estimate, and says from what."""
