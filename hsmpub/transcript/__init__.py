"""What a ceremony leaves behind: one file of steps, chained and signed, that verifies offline."""
