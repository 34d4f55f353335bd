"""The log, the rules and the people in, the review desk's pages out: what coordinators and account managers look at."""
