"""The lab: what makes a study of the core, from stored runs to figures and the command line."""
