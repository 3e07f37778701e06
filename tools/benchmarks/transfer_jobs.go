package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/tools/benchmarks/process"
)

const (
	// minioVariable is the environment variable with the address of MinIO, which testservers sets.
	// The variables with the suffixes _KEY and _SECRET hold the credentials.
	minioVariable = "OMNIBUCKET_TEST_MINIO"
	// rcloneVariable is the environment variable with the path of rclone, which "go install
	// github.com/rclone/rclone@v1.75.1" makes.
	rcloneVariable = "OMNIBUCKET_RCLONE"
	// s5cmdVariable is the environment variable with the path of s5cmd (github.com/peak/s5cmd). If
	// it is empty, there is no row for s5cmd.
	s5cmdVariable = "OMNIBUCKET_S5CMD"

	rcloneBest = "rclone copy, 32 transfers"
	rcloneOwn  = "rclone copy, as it comes"
	ours256    = "omnibucket, 256 at once"
	s5cmdOwn   = "s5cmd sync, 256 workers"
)

// transferJobCases returns the cases that compare whole jobs with rclone and s5cmd on a real MinIO.
// A job uploads a tree of files, once to an empty bucket, and once to a bucket that has all files
// already. Each contender is a program; ours is cmd/omnibucket. If MinIO or rclone is missing,
// there are no cases:
//
//	OMNIBUCKET_RCLONE=~/go/bin/rclone OMNIBUCKET_S5CMD=~/go/bin/s5cmd go run -C ../testservers . -only minio -dir ../benchmarks -- go run . -run jobs
func transferJobCases() []benchCase {
	if os.Getenv(minioVariable) == "" || os.Getenv(rcloneVariable) == "" {
		return nil
	}

	uploads := func(newRow func(name string, upload job) row) []row {
		rows := []row{
			newRow(ours, syncUp()),
			newRow(ours256, syncUp("--concurrency", "256")),
			newRow(rcloneBest, rclone("--transfers", "32", "--checkers", "32")),
			newRow(rcloneOwn, rclone()),
		}
		if os.Getenv(s5cmdVariable) != "" {
			rows = append(rows, newRow(s5cmdOwn, s5cmd()))
		}
		return rows
	}

	goals := []goal{
		asFast(rcloneBest, 1), asFast(rcloneOwn, 1),
		lessMemory(ours, rcloneBest, 0.5), lessMemory(ours, rcloneOwn, 0.5),
	}
	downloads := []row{
		jobDownRow(ours, syncDown),
		jobDownRow(rcloneBest, rcloneDown("--transfers", "32", "--checkers", "32")),
		jobDownRow(rcloneOwn, rcloneDown()),
	}

	var upS5cmd, againS5cmd, downS5cmd []goal
	if os.Getenv(s5cmdVariable) != "" {
		downloads = append(downloads, jobDownRow(s5cmdOwn, s5cmdDown))
		upS5cmd = []goal{within(s5cmdOwn, 0.6)}
		againS5cmd = []goal{within(s5cmdOwn, 1.2)}
		downS5cmd = []goal{within(s5cmdOwn, 0.5)}
	}

	return []benchCase{
		{
			name: "jobs-upload",
			title: fmt.Sprintf(
				"a tree of %d files and %d large ones into an empty bucket of MinIO; memory is the whole process's",
				jobFiles, jobLargeFiles,
			),
			rows:  uploads(jobRow),
			goals: slices.Concat(goals, upS5cmd),
		},
		{
			name:  "jobs-again",
			title: "the same if all of it exists",
			rows:  uploads(jobAgainRow),
			goals: slices.Concat(goals, againS5cmd),
		},
		{
			name:  "jobs-down",
			title: "the tree from MinIO into a new directory; ours is the command line, which syncs what it writes to the disk",
			rows:  downloads,
			goals: slices.Concat(goals, downS5cmd),
		},
	}
}

const (
	jobFiles      = 2000
	jobFileBytes  = 64 << 10 // largest size of a small file; the average is half of it
	jobLargeFiles = 2
	jobLargeBytes = 128 << 20
)

// jobTree returns the directory that all programs upload. The first call creates it.
func (e *env) jobTree() (string, error) {
	const name = "jobs-tree"
	if dir, ok := e.shared[name].(string); ok {
		return dir, nil
	}

	dir, err := e.dir()
	if err != nil {
		return "", err
	}
	// Only the throttled case has set a server of its own before this call. It uploads another tree.
	if _, isThrottled := e.shared[jobServerName]; isThrottled {
		e.shared[name] = dir
		return dir, throttledTree(dir)
	}

	// The seed is fixed, so that the tree is the same in each run.
	random := rand.NewChaCha8([32]byte{1})
	write := func(path string, size int) error {
		data := make([]byte, size)
		_, _ = random.Read(data) // never fails
		path = filepath.Join(dir, path)
		return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644))
	}

	for i := range jobFiles {
		size := int(random.Uint64() % jobFileBytes)
		if err := write(fmt.Sprintf("small/%02d/%04d", i%40, i), size); err != nil {
			return "", err
		}
	}
	for i := range jobLargeFiles {
		if err := write(fmt.Sprintf("large/%d", i), jobLargeBytes); err != nil {
			return "", err
		}
	}

	e.shared[name] = dir
	return dir, nil
}

// A job returns a command of one program, such as the upload of dir to a bucket.
type job func(e *env, dir, bucket string) (*exec.Cmd, error)

// jobRow returns a row that measures a job. Each operation uploads to a new bucket.
func jobRow(name string, upload job) row {
	return row{
		name:   name,
		single: true,
		setup: func(e *env) (opFunc, error) {
			dir, err := e.jobTree()
			if err != nil {
				return nil, err
			}
			return e.reportOp(name, func() (*childReport, error) {
				bucket, err := e.jobBucket()
				if err != nil {
					return nil, err
				}
				return e.runJob(upload, dir, bucket)
			}), nil
		},
	}
}

// jobAgainRow returns a row that measures a job. All operations upload to one bucket, which the same
// program has filled before.
func jobAgainRow(name string, upload job) row {
	return row{
		name:   name,
		single: true,
		setup: func(e *env) (opFunc, error) {
			dir, err := e.jobTree()
			if err != nil {
				return nil, err
			}
			bucket, err := e.jobBucket()
			if err != nil {
				return nil, err
			}
			// Fill the bucket.
			if _, err := e.runJob(upload, dir, bucket); err != nil {
				return nil, err
			}
			return e.reportOp(name, func() (*childReport, error) { return e.runJob(upload, dir, bucket) }), nil
		},
	}
}

// runJob runs the command of a job, and returns its measurements.
func (e *env) runJob(j job, dir, bucket string) (*childReport, error) {
	cmd, err := j(e, dir, bucket)
	if err != nil {
		return nil, err
	}
	var output strings.Builder
	cmd.Stdout = &output
	cmd.Stderr = &output

	before := e.requestsUntilNow()
	start := time.Now()
	peak, err := process.RunWatched(cmd)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, output.String())
	}
	r := &childReport{
		Nanos:    float64(time.Since(start)),
		CPU:      float64(cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()),
		Resident: peak,
	}
	if before != nil {
		r.Requests = since(before, e.requestsUntilNow(), 1)
	}
	return r, nil
}
