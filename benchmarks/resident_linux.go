package main

import (
	"bytes"
	"os"
	"strconv"
)

// resident returns the memory of this process in bytes, and its peak since
// forgetPeak.
func resident() (now, peak uint64) {
	status, _ := os.ReadFile("/proc/self/status")
	return statusKiB(status, "VmRSS:"), statusKiB(status, "VmHWM:")
}

func forgetPeak() error { return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

func statusKiB(status []byte, name string) uint64 {
	_, rest, _ := bytes.Cut(status, []byte(name))
	line, _, _ := bytes.Cut(rest, []byte("kB"))
	n, _ := strconv.ParseUint(string(bytes.TrimSpace(line)), 10, 64)
	return n << 10
}
