"""Memory doubles of our ports; each runs the same contract suite as the real backends."""
