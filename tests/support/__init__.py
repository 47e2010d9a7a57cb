"""What several kinds of tests run on."""
