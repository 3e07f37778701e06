//go:build unix

package main

import (
	"syscall"
	"time"
)

// cpuTime is what this process has computed so far. The servers of the cases
// are processes of their own: what is seen is the client's.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &used) != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
