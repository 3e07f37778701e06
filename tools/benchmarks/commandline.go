package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
)

// commandLineCases returns the cases that compare the program cmd/omnibucket with rclone and s5cmd
// on a real MinIO. They transfer a tree of 10,000 small files and one file of 2 GiB. The programs
// mc and aws take part only in the cases that list, add up, remove and undelete. If MinIO or rclone
// is missing, there are no cases. Each of the other programs takes part if its variable is set.
func commandLineCases() []benchCase {
	if os.Getenv(minioVariable) == "" || os.Getenv(rcloneVariable) == "" {
		return nil
	}

	contenders := []tool{
		oursAtTheCommandLine, rcloneContender(rcloneBest, "--transfers", "32", "--checkers", "32"),
		rcloneContender(rcloneOwn),
	}
	others := []struct {
		variable string
		tool     tool
	}{
		{s5cmdVariable, s5cmdContender},
		{mcVariable, mcContender},
		{awsVariable, awsContender},
	}
	for _, other := range others {
		if os.Getenv(other.variable) != "" {
			contenders = append(contenders, other.tool)
		}
	}

	goals := []goal{
		faster(ours, rcloneBest, 1), faster(ours, rcloneOwn, 1),
		lessMemory(ours, rcloneBest, 0.5), lessMemory(ours, rcloneOwn, 0.5),
	}
	if os.Getenv(s5cmdVariable) != "" {
		goals = append(goals, faster(ours, s5cmdOwn, 1))
	}

	operations := []commandLineCase{
		{name: "cli-up", title: "into an empty bucket", job: func(c tool) job { return c.up }},
		{name: "cli-again", title: "into a bucket that has all of it", filled: true, keeps: true, job: func(c tool) job { return c.up }},
		{name: "cli-down", title: "from a bucket into a new directory", filled: true, keeps: true, down: true, job: func(c tool) job { return c.down }},
		{name: "cli-list", title: "listed", filled: true, keeps: true, counted: true, job: func(c tool) job { return c.list }},
		{name: "cli-du", title: "added up", filled: true, keeps: true, counted: true, job: func(c tool) job { return c.du }},
		{name: "cli-delete", title: "deleted", filled: true, counted: true, job: func(c tool) job { return c.remove }},
		{
			name:    "cli-undelete",
			title:   "brought back after their removal in a bucket that keeps versions",
			filled:  true,
			keeps:   true,
			counted: true,
			removed: true,
			job:     func(c tool) job { return c.undelete },
		},
	}

	var cases []benchCase
	for _, k := range operations {
		var rows []row
		goals := goals
		// The programs rclone and s5cmd cannot undelete.
		if k.removed {
			goals = nil
		}
		for _, c := range contenders {
			if k.job(c) != nil {
				rows = append(rows, commandLineRow(c, k))
			}
		}
		title := fmt.Sprintf(
			"%d small files and one of %d MiB %s, on MinIO; memory is the whole process's", commandLineFiles,
			commandLineLarge,
			k.title,
		)
		cases = append(cases, benchCase{name: k.name, title: title, rows: rows, goals: goals})
	}
	return cases
}

// A commandLineCase is one operation, which all programs perform.
type commandLineCase struct {
	name, title string
	filled      bool // true if the bucket contains all files before the operation
	keeps       bool // true if the operation does not change the bucket
	down        bool // true if the operation writes to a new directory
	removed     bool // true if the bucket keeps versions, and the tree is removed before each operation
	counted     bool // true if a proxy in front of the server counts the requests
	job         func(tool) job
}

const (
	commandLineFiles     = 10_000
	commandLineFileBytes = 4 << 10
)

// commandLineLarge is the size of the large file in MiB. The flag -large sets it. The goals are for
// 2 GiB, for which the disk needs 12 GiB of free space.
var commandLineLarge int64 = 2 << 10

// A tool is a program, with a job for each operation. A job is nil if the program does not have the
// operation.
type tool struct {
	name                                 string
	up, down, list, du, remove, undelete job
}

var oursAtTheCommandLine = tool{
	name:     ours,
	up:       syncUp(),
	down:     syncDown,
	list:     commandLine("ls", "-r", bucketArg),
	du:       commandLine("du", bucketArg),
	remove:   commandLine("rm", "-r", "--all", bucketArg),
	undelete: commandLine("undelete", bucketArg),
}

func rcloneContender(name string, flags ...string) tool {
	return tool{
		name:   name,
		up:     rclone(flags...),
		down:   rcloneDown(flags...),
		list:   rcloneJob(flags, "lsf", "-R", "--fast-list", rcloneBucket),
		du:     rcloneJob(flags, "size", "--fast-list", rcloneBucket),
		remove: rcloneJob(flags, "delete", rcloneBucket),
	}
}

var s5cmdContender = tool{
	name:   s5cmdOwn,
	up:     s5cmd(),
	down:   s5cmdDown,
	list:   s5cmdJob("ls", s5cmdObjects),
	du:     s5cmdJob("du", s5cmdObjects),
	remove: s5cmdJob("rm", s5cmdObjects),
}

// commandLine returns a job that runs cmd/omnibucket. In args, bucketArg stands for the address of
// the bucket.
func commandLine(args ...string) job {
	return func(e *env, dir, bucket string) (*exec.Cmd, error) {
		program, err := e.commandLineProgram()
		if err != nil {
			return nil, err
		}
		address, env := e.ownAddress(bucket)
		cmd := exec.CommandContext(e.ctx, program, fillArgs(args, dir, address)...)
		cmd.Env = env
		return cmd, nil
	}
}

// commandLineProgram returns the path of cmd/omnibucket. The first call builds the program with the
// flags of .goreleaser.yaml.
func (e *env) commandLineProgram() (string, error) {
	return e.built("omnibucket", "../../cmd/omnibucket", ".", "-tags", "disable_grpc_modules,grpcnotrace", "-ldflags", "-s -w")
}

// commandLineRow returns a row that measures only the job of one program. If the job needs a full
// bucket, the same program fills the bucket before the job, so that the job finds its own files. If
// requests are counted, this library fills the bucket instead. If the job needs an empty bucket,
// the row empties the bucket after the job.
func commandLineRow(t tool, c commandLineCase) row {
	return row{
		name:   t.name,
		single: true,
		setup: func(e *env) (opFunc, error) {
			r := &commandLineRun{e: e, tool: t, operation: c}
			if err := r.setUp(); err != nil {
				return nil, err
			}
			return r.run, nil
		},
	}
}

// A commandLineRun runs an operation with one program.
type commandLineRun struct {
	e            *env
	tool         tool
	operation    commandLineCase
	tree, bucket string
	full         bool // true if the bucket has all files, and no operation changes it
}

// setUp makes the tree and the bucket before the first operation.
func (r *commandLineRun) setUp() (err error) {
	r.tree, err = r.e.commandLineTree()
	if err != nil {
		return err
	}
	r.bucket, err = r.e.jobBucket()
	if err != nil {
		return err
	}
	// The build must not be measured.
	if _, err := r.e.commandLineProgram(); err != nil {
		return err
	}
	if r.operation.counted {
		if err := r.e.countRequests(); err != nil {
			return err
		}
	}
	if r.operation.removed {
		return r.runUnmeasured(keepVersions)
	}
	return nil
}

// run runs the operation once, between the steps that it needs before and after. Only the operation
// itself is measured.
func (r *commandLineRun) run(int) error {
	// An operation that keeps the bucket as it is needs only one fill.
	if r.operation.filled && !r.full {
		if err := r.fill(); err != nil {
			return err
		}
		r.full = r.operation.keeps
	}
	if r.operation.removed {
		if err := r.runUnmeasured(oursAtTheCommandLine.remove); err != nil {
			return err
		}
	}

	if err := r.measure(); err != nil {
		return err
	}

	// The next operation, such as an upload, needs an empty bucket again.
	if !r.operation.filled {
		return r.runUnmeasured(oursAtTheCommandLine.remove)
	}
	return nil
}

func (r *commandLineRun) fill() error {
	if r.operation.counted {
		// It does not matter which program stores the objects.
		return r.runUnmeasured(oursAtTheCommandLine.up)
	}
	return r.runUnmeasured(r.tool.up)
}

// runUnmeasured runs a job that only prepares or cleans up the bucket.
func (r *commandLineRun) runUnmeasured(j job) error {
	_, err := r.e.runJob(j, r.tree, r.bucket)
	return err
}

// measure runs the job that the row measures. A download has a new directory.
func (r *commandLineRun) measure() (err error) {
	dir := r.tree
	if r.operation.down {
		if dir, err = os.MkdirTemp("", "omnibucket-benchmarks-"); err != nil {
			return err
		}
		defer func() {
			err = errors.Join(err, os.RemoveAll(dir))
		}()
	}
	r.e.reports[r.tool.name], err = r.e.runJob(r.operation.job(r.tool), dir, r.bucket)
	return err
}

// commandLineTree returns the directory that all programs upload. The first call creates it.
func (e *env) commandLineTree() (string, error) {
	const name = "commandline-tree"
	if dir, ok := e.shared[name].(string); ok {
		return dir, nil
	}
	dir, err := e.dir()
	if err != nil {
		return "", err
	}
	e.shared[name] = dir

	// The seed is fixed, so that the tree is the same in each run.
	random := rand.NewChaCha8([32]byte{1})
	small := make([]byte, commandLineFileBytes)
	for i := range commandLineFiles {
		_, _ = random.Read(small) // never fails
		path := filepath.Join(dir, "small", fmt.Sprintf("%02d", i%100), fmt.Sprintf("%05d", i))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, small, 0o644)); err != nil {
			return "", err
		}
	}

	large, err := os.Create(filepath.Join(dir, "large"))
	if err != nil {
		return "", err
	}
	_, err = io.CopyN(large, random, commandLineLarge<<20)
	return dir, errors.Join(err, large.Close())
}
