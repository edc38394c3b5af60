"""What people and services ask over HTTP: health and webhooks."""
