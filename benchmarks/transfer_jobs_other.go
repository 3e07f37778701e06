//go:build !linux

package main

import "os/exec"

// runWatched runs a command. Its memory is not measured on this system.
func runWatched(cmd *exec.Cmd) (peak float64, err error) { return 0, cmd.Run() }
