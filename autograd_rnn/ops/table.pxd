# Nothing is declared here: a rule takes floats and Values alike.
