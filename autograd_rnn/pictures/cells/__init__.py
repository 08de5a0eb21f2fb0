"""Pictures of one step of a model with gates, read from the step itself."""
