"""The command line, a file for each command; heavy imports wait for the command that needs them."""
