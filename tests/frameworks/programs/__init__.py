"""One program for each framework."""
