"""``python -m tollgate_extproc``: gate and meter."""

from tollgate_extproc.main import main

main()
