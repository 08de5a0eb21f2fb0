"""A page that plays the forward pass and the backward sweep."""
