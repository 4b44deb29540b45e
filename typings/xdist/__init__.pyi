"""The part of pytest-xdist that tests use."""
