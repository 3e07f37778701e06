//go:build !linux

package evidence

// readMounts knows no mounts: on these systems each has a device of its own.
func readMounts() ([]mount, bool) { return nil, true }
