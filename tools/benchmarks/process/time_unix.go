//go:build unix

// Package process measures the CPU time and the memory of processes.
package process

import (
	"syscall"
	"time"
)

// CPUTime returns the CPU time of this process. This is the CPU time of the client, because servers
// run in other processes.
func CPUTime() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// FlushDisk waits until all data is on the disk. Otherwise the writes of one measurement would slow
// the next measurement.
func FlushDisk() { syscall.Sync() }
