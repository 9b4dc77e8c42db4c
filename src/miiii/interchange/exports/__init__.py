"""Write runs in other tools' formats."""
