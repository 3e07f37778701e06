//go:build unix

// Package cputime lets a benchmark report the CPU time of this process. On a busy machine, that is
// more accurate than the elapsed time.
package cputime

import (
	"syscall"
	"testing"
)

// Loop runs f in the loop of a benchmark, and reports the allocations of a call and its CPU time in
// nanoseconds.
func Loop(b *testing.B, f func() error) {
	b.Helper()
	b.ReportAllocs()
	start := processTime(b)
	for b.Loop() {
		if err := f(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(processTime(b)-start)/float64(b.N), "cpu-ns/op")
}

// processTime returns the CPU time of this process so far, in nanoseconds.
func processTime(b *testing.B) int64 {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}
