package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
)

// Some things are a process's own, such as its peak memory, and the processor
// time of a server that is not to count as its client's: those run in a child,
// this program again, which this variable tells what to do.
const childVariable = "OMNIBUCKET_BENCHMARKS_CHILD"

const childTransfer = "transfer"

func runChild(job string) error {
	switch job {
	case childTransfer:
		return runTransfer(os.Stdin, os.Stdout)
	case childGCSUploads:
		return runGCSUploads(os.Stdin, os.Stdout)
	case amazonStorage.job:
		return amazonStorage.run(os.Stdin, os.Stdout)
	case googleStorage.job:
		return googleStorage.run(os.Stdin, os.Stdout)
	case azureStorage.job:
		return azureStorage.run(os.Stdin, os.Stdout)
	}
	return runUploads(job)
}

// child is this program again, for a job.
func (e *env) child(job string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	// It ends by itself, or with its standard input; a benchmark's context ends
	// before its cleanup.
	cmd := exec.CommandContext(context.WithoutCancel(e.ctx), self)
	cmd.Env = append(os.Environ(), childVariable+"="+job)
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// readJSON reads one value, and nothing behind it.
func readJSON(r io.Reader, v any) error { return json.NewDecoder(r).Decode(v) }

func writeJSON(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }
