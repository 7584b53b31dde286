"""What is seen of each call of each SDK, as a document for users: docs/coverage.md.

    python -m tests.doors            write it
    python -m tests.doors --check    exit 1, with a diff, if that would change it

Nothing in its tables is written by hand.  Every way of calling that the tests know is taken, synchronously and
asynchronously, through the real SDK on a wire in memory: answered, refused, refused and tried again, broken off, left
early.  A cell says what the spans held that came out.
"""
