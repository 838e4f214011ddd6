"""What a flight tells others while it goes on: messages to people, a sign of life, figures for machines. It never holds up a tick."""
