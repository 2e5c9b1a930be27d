"""Drills: light a fire, watch whether the alarm rings, put it out, watch it stop."""
