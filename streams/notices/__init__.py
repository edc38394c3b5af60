"""What was announced, told to receivers: at least once, by signed webhooks or the log."""
