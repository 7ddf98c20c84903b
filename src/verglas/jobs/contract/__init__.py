"""What every job type is made of: options, flags, outcomes, items one by one, lists handed on."""
