"""What instrumentation costs the program that it watches: added microseconds per call and per chunk."""
