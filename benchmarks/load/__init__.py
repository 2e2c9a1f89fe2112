"""The two ends of the work, each a program of its own, so that its CPU time is never counted as an arm's."""
