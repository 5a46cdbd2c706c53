"""The command line, one file for each command; heavy imports wait for the command that needs them."""
