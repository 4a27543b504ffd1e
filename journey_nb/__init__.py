"""journey_nb: customer journeys in the notebook."""
