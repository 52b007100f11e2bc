"""What is published: the release log and the online store."""
