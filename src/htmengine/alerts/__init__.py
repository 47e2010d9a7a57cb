"""Who is told of incidents, when, and how: rules, notices, deliveries and targets."""
