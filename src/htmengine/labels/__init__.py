"""What people say of times of metrics: this was an anomaly, this is normal."""
