"""Hostile values by the million, from a seed; a short run of each is in the tests, the long one is started by hand."""
