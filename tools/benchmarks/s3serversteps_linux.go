package main

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// A serverStep is a command of s5cmd. A server runs all steps, one after the other.
type serverStep struct {
	name    string
	large   bool
	command serverCommand
}

func (s serverStep) bucket() string { return fmt.Sprintf("s3://steps-%t", s.large) }

var serverSteps = []serverStep{
	{"upload the small files", false, uploadTree},
	{"list them", false, listTree},
	{"download them", false, downloadTree},
	{"upload the large file", true, uploadTree},
	{"download it", true, downloadTree},
}

// s3ServerSteps returns a case that compares servers that hold many small objects and a large one.
// Each server makes all steps and ends before the next server starts.
//
// When a server has ended, its large file is removed. Its small files stay until the end of the
// case, because removed files would slow the next server. For some minutes after a removal, ext4
// examines the inodes of all removed files whenever it creates a file.
//
//	OMNIBUCKET_S5CMD=… OMNIBUCKET_MINIO=… OMNIBUCKET_VERSITYGW=… \
//		go run . -run s3server-steps -files 100000 -large 5120
func s3ServerSteps(small, large string) benchCase {
	c := benchCase{
		name:  "s3server-steps",
		title: small + " and " + large + ", by s5cmd with 16 workers; each server by itself",
	}
	names := serverNames()
	for _, name := range names {
		c.rows = append(c.rows, stepsOf(name)...)
	}

	// The first three servers are those of this library. The goals compare them with the others.
	others := names[3:]
	for _, step := range serverSteps {
		for _, other := range others {
			directory := serverOnDirectory
			if other == serverVersityGW {
				// The server versitygw does not wait for the disk, so our server must not wait either.
				directory = serverUnsynced
			}
			c.goals = append(c.goals, ahead(directory+": "+step.name, other+": "+step.name)...)
		}
	}
	return c
}

// ahead requires that a row takes less time, CPU time and memory than another row. The parameters
// one and other are the names of the rows.
func ahead(one, other string) []goal {
	return []goal{faster(one, other, 1), lessCPU(one, other, 1), lessMemory(one, other, 1)}
}

// stepsOf returns a row for each step of the named server. The first row starts the server, and the
// last one ends it.
func stepsOf(name string) []row {
	var rows []row
	run := &serverRun{name: name}
	for i, step := range serverSteps {
		rowName := name + ": " + step.name
		rows = append(rows, row{
			name: rowName,
			once: true,
			setup: func(e *env) (opFunc, error) {
				return e.reportOp(rowName, func() (*childReport, error) { return run.step(e, i) }), nil
			},
		})
	}
	return rows
}

// A serverRun makes all steps with one server.
type serverRun struct {
	name   string
	server *s3Process // nil before the first step
}

// step makes and measures step i. It starts the server before the first step, and ends it after the
// last one.
func (r *serverRun) step(e *env, i int) (report *childReport, err error) {
	if i == 0 {
		r.server, err = e.startS3Server(r.name)
		if err != nil {
			return nil, err
		}
	}
	step := serverSteps[i]
	report, err = r.server.step(e, step)
	if err != nil {
		return nil, err
	}
	isLast := i == len(serverSteps)-1
	if !isLast {
		return report, nil
	}
	return report, errors.Join(r.server.s5cmd(e.ctx, "rm", step.bucket()+"/*"), r.server.end())
}

// step runs and measures one step. The report contains the peak memory of the server during this
// step.
func (s *s3Process) step(e *env, step serverStep) (*childReport, error) {
	tree, err := e.serverTree(step.large)
	if err != nil {
		return nil, err
	}

	downloadDir, err := e.dir()
	if err != nil {
		return nil, err
	}
	if step.large {
		defer func() { _ = os.RemoveAll(downloadDir) }()
	}

	bucket := step.bucket()
	if step.command.uploads {
		if err := s.s5cmd(e.ctx, "mb", bucket); err != nil {
			return nil, err
		}
	}

	if err := s.forgetPeak(); err != nil {
		return nil, err
	}

	cpuBefore := s.cpu()
	start := time.Now()
	if err := s.s5cmd(e.ctx, step.command.args(tree, bucket, downloadDir)...); err != nil {
		return nil, err
	}
	return &childReport{Nanos: float64(time.Since(start)), CPU: s.cpu() - cpuBefore, Resident: s.peak()}, nil
}

// forgetPeak makes the kernel start a new measurement of the peak memory.
func (s *s3Process) forgetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.pid), []byte("5"), 0)
}
