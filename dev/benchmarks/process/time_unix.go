//go:build unix

package main

import (
	"syscall"
	"time"
)

// cpuTime returns the CPU time of this process. Servers run in processes of their
// own, so that it is the client's.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// flushDisk waits until the disk has written the data of the previous row.
func flushDisk() { syscall.Sync() }
