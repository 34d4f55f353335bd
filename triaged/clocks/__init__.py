"""Business hours, holidays and spans of time in, moments out."""
