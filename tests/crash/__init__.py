"""Kill −9 at every call to the outside and at every SQL statement: nothing is lost, nothing is done twice."""
