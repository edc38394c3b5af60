"""What is counted, announced and kept of a partition: pure, from the log's records alone."""
