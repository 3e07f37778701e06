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

// exitCode returns the exit code of a program for the result of Wait, as a shell does. It fails if the
// program has not run.
func exitCode(err error) (int, error) {
	if err == nil {
		return 0, nil
	}
	var exitErr *exec.ExitError
	if !errors.As(err, &exitErr) {
		return 1, fmt.Errorf("running the command: %w", err)
	}

	// A program that a signal has ended has no exit code of its own.
	if status, ok := exitErr.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return signaled + int(status.Signal()), nil
	}
	return exitErr.ExitCode(), nil
}
