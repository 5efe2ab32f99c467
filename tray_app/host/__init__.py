"""The edges of the machine, one file each: folders, settings, keys, launch at login, single instance."""
