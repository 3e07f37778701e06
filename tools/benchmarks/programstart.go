package main

import (
	"fmt"
	"os"
	"os/exec"
	"time"
)

// startCases returns a case that compares two programs, each of which only stores an object of five
// bytes. It shows how long a program takes to start.
func startCases() []benchCase {
	return []benchCase{{
		name:  "s3-start",
		title: "a program that stores one object and ends; memory is the size of the stripped program",
		rows:  []row{startRow(ours, "ours"), startRow(rawSDK, "sdk")},
		goals: []goal{lessCPU(ours, rawSDK, 1), lessMemory(ours, rawSDK, 1.25)},
	}}
}

// startRow returns a row for the program in the folder start/pkg. In place of the memory, it reports
// the size of the program.
func startRow(name, pkg string) row {
	return row{
		name:   name,
		single: true,
		setup: func(e *env) (opFunc, error) {
			server, err := amazon.server(e, *nearPlain)
			if err != nil {
				return nil, err
			}
			program, err := e.built(pkg, ".", "./start/"+pkg, "-trimpath", "-ldflags=-s -w")
			if err != nil {
				return nil, err
			}
			info, err := os.Stat(program)
			if err != nil {
				return nil, err
			}
			return e.reportOp(name, func() (*childReport, error) {
				report, err := e.runRepeatedly(program, server)
				if err != nil {
					return nil, err
				}
				report.Resident = float64(info.Size())
				return report, nil
			}), nil
		},
	}
}

// runRepeatedly runs a program several times, each time in a new process that connects to the
// server. It returns the average duration and CPU time of a run.
func (e *env) runRepeatedly(program, server string) (*childReport, error) {
	const runs = 20
	report := &childReport{}
	for range runs {
		cmd := exec.CommandContext(e.ctx, program, server)
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey)
		start := time.Now()
		if output, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%w: %s", err, output)
		}
		report.Nanos += float64(time.Since(start)) / runs
		report.CPU += float64(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime()) / runs
	}
	return report, nil
}
