package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// signaled is what a shell adds to the number of a signal. The sum is the exit code of a program
// that the signal has ended.
const signaled = 128

// runCommand runs the command in dir, and returns its exit code. It forwards signals to the
// command. It fails if there is no exit code, for example because the command did not start.
func runCommand(dir string, args, variables []string, signals <-chan os.Signal) (int, error) {
	command := exec.Command(args[0], args[1:]...)
	command.Dir = dir
	command.Env = append(command.Environ(), variables...)
	command.Stdin = os.Stdin
	command.Stdout = os.Stdout
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		return 1, err
	}
	done := make(chan error, 1)
	go func() { done <- command.Wait() }()
	for {
		select {
		case s := <-signals:
			_ = command.Process.Signal(s)
		case err := <-done:
			return exitCode(err)
		}
	}
}

func exitCode(err error) (int, error) {
	var ended *exec.ExitError
	if err == nil {
		return 0, nil
	}
	if !errors.As(err, &ended) {
		return 1, fmt.Errorf("running the command: %w", err)
	}
	if status, ok := ended.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return signaled + int(status.Signal()), nil
	}
	return ended.ExitCode(), nil
}
