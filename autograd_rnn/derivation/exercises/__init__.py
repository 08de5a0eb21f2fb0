"""Exercise sheets: questions of many kinds, their solutions, marks, and files of course systems."""
