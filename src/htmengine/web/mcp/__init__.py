"""What language models ask, by the Model Context Protocol: tools that only read. Off until `[mcp] enabled = true`."""
