"""Suites that adapters and strategies of any origin inherit in their own tests, and what they need to build a case."""
