"""Tests of one package each, in the order of the packages."""
