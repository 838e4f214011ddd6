"""``python -m autopilot`` is the command ``autopilot``."""

from autopilot.cli import main

if __name__ == "__main__":
    main()
