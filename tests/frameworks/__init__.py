"""Real frameworks: one table of promises, and one small app for each framework."""
