"""A page that plays the forward pass and the backward sweep, and sliders that move a network."""
