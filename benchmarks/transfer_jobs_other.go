//go:build !linux

package main

import "os/exec"

// runWatched runs a command; what memory it had is not told here.
func runWatched(cmd *exec.Cmd) (peak float64, err error) { return 0, cmd.Run() }
