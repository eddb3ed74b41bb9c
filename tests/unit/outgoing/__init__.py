"""Outgoing calls and jobs."""
