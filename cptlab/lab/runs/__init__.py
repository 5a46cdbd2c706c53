"""Runs: done pass by pass on this machine or a cluster, stored, read back, packed."""
