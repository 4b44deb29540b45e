"""Tests of the wire formats and their byte parsers."""
