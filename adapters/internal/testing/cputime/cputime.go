//go:build unix

// Package cputime lets a benchmark report the CPU time of this process. On a busy machine, that is
// more accurate than the elapsed time.
package cputime

import (
	"syscall"
	"testing"
)

// Loop runs f as a benchmark loop. It reports the allocations and the CPU time of one call, in
// nanoseconds.
func Loop(b *testing.B, f func() error) {
	b.Helper()
	b.ReportAllocs()
	start := used(b)
	for b.Loop() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(used(b)-start)/float64(b.N), "cpu-ns/op")
}

// used returns the CPU time of this process in nanoseconds.
func used(b *testing.B) int64 {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return r.Utime.Nano() + r.Stime.Nano()
}
