"""The command line: arguments in, text out. Nobody imports it."""
