"""How applications create, monitor and delete metrics."""
