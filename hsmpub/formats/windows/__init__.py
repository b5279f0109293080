"""What Windows signs beside programs: installers, cabinets and catalogues."""
