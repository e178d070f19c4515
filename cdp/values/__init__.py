"""What is measured and passed around: values without behaviour of their own."""
