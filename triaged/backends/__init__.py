"""One file per protocol: each speaks to one kind of server and translates its errors into ours at the boundary."""
