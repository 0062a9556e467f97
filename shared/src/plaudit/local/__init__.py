"""Running Plaudit on one machine: services, a Redis and a training run as supervised processes."""
