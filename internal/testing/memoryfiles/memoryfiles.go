// Package memoryfiles puts the temporary files of a program of tests into memory, where the system has a
// directory for that. A test imports it for this effect. Some disks take many times as long to make and remove
// a small file, so a package does it if its tests do not judge the disk. TMPDIR, if it is set, is kept.
package memoryfiles

import "os"

func init() { place("/dev/shm", suits) }

// place sets TMPDIR to the directory, if it suits.
func place(dir string, suits func(dir string) bool) {
	if os.Getenv("TMPDIR") == "" && suits(dir) {
		_ = os.Setenv("TMPDIR", dir)
	}
}
