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
	for _, step := range serverSteps {
		for _, other := range names[3:] {
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

func stepsOf(name string) (rows []row) {
	var s *s3Process
	for i, step := range serverSteps {
		row := row{name: name + ": " + step.name, once: true}
		row.setup = func(e *env) (opFunc, error) {
			return func(int) (err error) {
				if i == 0 {
					if s, err = e.startS3Server(name); err != nil {
						return err
					}
				}
				if e.reports[row.name], err = s.step(e, step); err != nil || i < len(serverSteps)-1 {
					return err
				}
				return errors.Join(s.s5cmd(e.ctx, "rm", step.bucket()+"/*"), s.end())
			}, nil
		}
		rows = append(rows, row)
	}
	return rows
}

// step runs and measures one step. The report contains the peak memory of the server during this
// step.
func (s *s3Process) step(e *env, step serverStep) (*childReport, error) {
	tree, err := e.serverTree(step.large)
	if err != nil {
		return nil, err
	}

	back, err := e.dir()
	if err != nil {
		return nil, err
	}
	if step.large {
		defer func() { _ = os.RemoveAll(back) }()
	}

	bucket := step.bucket()
	args := step.command(tree, bucket, back)
	if args[len(args)-1] == bucket+"/" {
		if err := s.s5cmd(e.ctx, "mb", bucket); err != nil {
			return nil, err
		}
	}

	if err := s.forgetPeak(); err != nil {
		return nil, err
	}

	computed := s.cpu()
	start := time.Now()
	if err := s.s5cmd(e.ctx, args...); err != nil {
		return nil, err
	}
	return &childReport{Nanos: float64(time.Since(start)), CPU: s.cpu() - computed, Resident: s.peak()}, nil
}

// forgetPeak makes the kernel start a new measurement of the peak memory.
func (s *s3Process) forgetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.pid), []byte("5"), 0)
}
