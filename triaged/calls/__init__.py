"""Busy times and business hours in, a free slot and its invitation (RFC 5545, 5546) out; and what calendars answer."""
