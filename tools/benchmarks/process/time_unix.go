//go:build unix

// Package process tells what processes use of the machine.
package process

import (
	"syscall"
	"time"
)

// CPUTime returns the CPU time of this process. Servers run in processes of their
// own, so that it is the client's.
func CPUTime() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// FlushDisk waits until the disk has written the data of the previous row.
func FlushDisk() { syscall.Sync() }
