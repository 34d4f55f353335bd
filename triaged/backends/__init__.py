"""One file or folder a protocol: each speaks to one kind of server and makes its errors ours at the boundary."""
