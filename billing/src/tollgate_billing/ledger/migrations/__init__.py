"""Schema changes, in order; each is written once and never edited afterwards."""
