"""The study of the paper: profiles, grids of runs, tables, claims and published numbers."""
