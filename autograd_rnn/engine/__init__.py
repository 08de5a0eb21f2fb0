"""`Value`, and derivatives of every kind and order."""
