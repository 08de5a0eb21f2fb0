"""Pictures of an unrolled network as columns of steps and rows of neurons."""
