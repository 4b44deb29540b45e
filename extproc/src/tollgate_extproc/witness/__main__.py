"""``python -m tollgate_extproc.witness``."""

from tollgate_extproc.witness.command import main

main()
