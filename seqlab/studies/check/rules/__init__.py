"""What a check looks for: the table `RULES`, and when each rule fires."""
