"""One function per figure: results in, drawing out. Nothing here trains, loads or transforms."""
