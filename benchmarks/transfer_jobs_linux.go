package main

import (
	"fmt"
	"os"
	"os/exec"
	"time"
)

// runWatched runs a command and returns its peak memory in bytes. The kernel's value
// at the end includes the process that it was forked from.
func runWatched(cmd *exec.Cmd) (peak float64, err error) {
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	status := fmt.Sprintf("/proc/%d/status", cmd.Process.Pid)
	for {
		select {
		case err := <-ended:
			return peak, err
		case <-ticker.C:
			text, _ := os.ReadFile(status)
			peak = max(peak, float64(statusKiB(text, "VmHWM:")))
		}
	}
}
