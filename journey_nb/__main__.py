"""`python -m journey_nb` is the command line."""

from journey_nb.cli import main

main(prog_name="journey-nb")
