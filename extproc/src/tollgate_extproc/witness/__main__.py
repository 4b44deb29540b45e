"""``python -m tollgate_extproc.witness``."""

from tollgate_extproc.witness.main import main

main()
