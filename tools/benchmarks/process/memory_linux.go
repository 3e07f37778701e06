package process

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// Resident returns the resident memory of this process in bytes, and its peak since the last call
// of [ForgetPeak].
func Resident() (now, peak uint64) {
	status, _ := os.ReadFile("/proc/self/status")
	return statusKiB(status, "VmRSS:"), statusKiB(status, "VmHWM:")
}

func ForgetPeak() error { return os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

func statusKiB(status []byte, name string) uint64 {
	_, rest, _ := bytes.Cut(status, []byte(name))
	line, _, _ := bytes.Cut(rest, []byte("kB"))
	n, _ := strconv.ParseUint(string(bytes.TrimSpace(line)), 10, 64)
	return n << 10
}

// PeakOf returns the largest resident memory that a process has had so far, in bytes.
func PeakOf(pid int) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return float64(statusKiB(text, "VmHWM:"))
}

// RunWatched runs a command, and returns its peak memory in bytes. It reads the peak every 5
// milliseconds. The peak that the kernel reports after the end is too high, because it includes the
// memory of this process at the time of the fork.
func RunWatched(cmd *exec.Cmd) (peak float64, err error) {
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	errc := make(chan error, 1)
	go func() { errc <- cmd.Wait() }()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case err := <-errc:
			return peak, err
		case <-ticker.C:
			peak = max(peak, PeakOf(cmd.Process.Pid))
		}
	}
}
