// Package memoryfiles sets TMPDIR to a directory in memory, if the system has one and TMPDIR is not
// set. A test package imports it only for this effect. Some disks are many times slower at creating
// and removing small files. Tests that are about the disk must not import it.
package memoryfiles

import "os"

func init() { place("/dev/shm", suits) }

// place sets TMPDIR to dir if TMPDIR is not set and suits(dir) returns true.
func place(dir string, suits func(dir string) bool) {
	if os.Getenv("TMPDIR") == "" && suits(dir) {
		_ = os.Setenv("TMPDIR", dir)
	}
}
