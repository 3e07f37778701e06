//go:build !linux

package main

// On other systems the peak is unknown, and goals for it are missed.
func resident() (now, peak uint64) { return 0, 0 }

func forgetPeak() error { return nil }
