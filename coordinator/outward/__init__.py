"""What the coordinator sends out into the world: webhooks and e-mail."""
