"""The real program as a subprocess, against real servers."""
