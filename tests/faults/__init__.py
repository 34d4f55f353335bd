"""Lines cut, disks full, clocks wrong, power lost: counted trials of each, short by pytest, long by `make faults`."""
