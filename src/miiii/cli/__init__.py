"""The command line: arguments in, text out. No other room imports it."""
