"""What profiles are made of: pictures, torch networks, the parts of ResNet-50. No profile stands here."""
