//go:build unix

// Package cputime adds the CPU time of this process to a benchmark: on a busy machine, it says more than the time.
package cputime

import (
	"syscall"
	"testing"
)

// Loop calls f as often as b needs, and reports the CPU time of one call in nanoseconds, and its allocations.
func Loop(b *testing.B, f func() error) {
	b.Helper()
	b.ReportAllocs()
	began := used(b)
	for b.Loop() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(used(b)-began)/float64(b.N), "cpu-ns/op")
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
