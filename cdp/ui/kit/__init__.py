"""What pages are made of: fields, settings, addresses, lists, frames."""
