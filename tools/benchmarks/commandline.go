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
	for _, other := range []struct {
		variable string
		tool     tool
	}{{s5cmdVariable, s5cmdContender}, {mcVariable, mcContender}, {awsVariable, awsContender}} {
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

	var cases []benchCase
	for _, k := range []commandLineCase{
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
	} {
		var rows []row
		goals := goals
		if k.removed {
			// The programs rclone and s5cmd cannot undelete.
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
	name: ours,
	up:   syncUp(),
	down: syncDown,
	list: func(e *env, _, bucket string) (*exec.Cmd, error) {
		return e.commandLine(bucket, func(address string) []string { return []string{"ls", "-r", address} })
	},
	du: func(e *env, _, bucket string) (*exec.Cmd, error) {
		return e.commandLine(bucket, func(address string) []string { return []string{"du", address} })
	},
	remove: func(e *env, _, bucket string) (*exec.Cmd, error) {
		return e.commandLine(bucket, func(address string) []string { return []string{"rm", "-r", "--all", address} })
	},
	undelete: func(e *env, _, bucket string) (*exec.Cmd, error) {
		return e.commandLine(bucket, func(address string) []string { return []string{"undelete", address} })
	},
}

func rcloneContender(name string, flags ...string) tool {
	command := func(args func(dir, bucket string) []string) job {
		return func(e *env, dir, bucket string) (*exec.Cmd, error) {
			return e.rclonePeer(append(args(dir, "peer:"+bucket), flags...)), nil
		}
	}
	return tool{
		name:   name,
		up:     command(func(dir, bucket string) []string { return []string{"copy", dir, bucket} }),
		down:   command(func(dir, bucket string) []string { return []string{"copy", bucket, dir} }),
		list:   command(func(_, bucket string) []string { return []string{"lsf", "-R", "--fast-list", bucket} }),
		du:     command(func(_, bucket string) []string { return []string{"size", "--fast-list", bucket} }),
		remove: command(func(_, bucket string) []string { return []string{"delete", bucket} }),
	}
}

var s5cmdContender = tool{
	name: s5cmdOwn,
	up:   s5cmd(),
	down: s5cmdDown,
	list: func(e *env, _, bucket string) (*exec.Cmd, error) {
		return e.s5cmdPeer("ls", "s3://"+bucket+"/*"), nil
	},
	du: func(e *env, _, bucket string) (*exec.Cmd, error) {
		return e.s5cmdPeer("du", "s3://"+bucket+"/*"), nil
	},
	remove: func(e *env, _, bucket string) (*exec.Cmd, error) {
		return e.s5cmdPeer("rm", "s3://"+bucket+"/*"), nil
	},
}

// commandLine returns a command that runs cmd/omnibucket. The first call builds the program with
// the flags of .goreleaser.yaml.
func (e *env) commandLine(bucket string, args func(address string) []string) (*exec.Cmd, error) {
	program, err := e.built("omnibucket", "../../cmd/omnibucket", ".", "-tags", "disable_grpc_modules,grpcnotrace",
		"-ldflags", "-s -w")
	if err != nil {
		return nil, err
	}
	address, env := e.ownAddress(bucket)
	cmd := exec.CommandContext(e.ctx, program, args(address)...)
	cmd.Env = env
	return cmd, nil
}

// commandLineRow returns a row that measures only the job of one program. If the job needs a full
// bucket, the same program fills the bucket before the job, so that the job finds its own files. If
// requests are counted, this library fills the bucket instead. If the job needs an empty bucket,
// the row empties the bucket after the job.
func commandLineRow(c tool, k commandLineCase) row {
	return row{
		name:   c.name,
		single: true,
		setup: func(e *env) (opFunc, error) {
			tree, err := e.commandLineTree()
			if err != nil {
				return nil, err
			}
			bucket, err := e.jobBucket()
			if err != nil {
				return nil, err
			}
			if _, err := e.commandLine(bucket, func(string) []string { return nil }); err != nil { // not measured
				return nil, err
			}
			if k.counted {
				if err := e.countRequests(); err != nil {
					return nil, err
				}
			}
			if k.removed {
				if _, err := e.runJob(keepVersions, tree, bucket); err != nil {
					return nil, err
				}
			}
			fill := c.up
			if k.counted {
				// It does not matter which program stores the objects.
				fill = oursAtTheCommandLine.up
			}
			full := false
			return func(int) (err error) {
				if k.filled && !full {
					if _, err := e.runJob(fill, tree, bucket); err != nil {
						return err
					}
					full = k.keeps
				}
				if k.removed {
					if _, err := e.runJob(oursAtTheCommandLine.remove, tree, bucket); err != nil {
						return err
					}
				}
				dir := tree
				if k.down {
					if dir, err = os.MkdirTemp("", "omnibucket-benchmarks-"); err != nil {
						return err
					}
					defer func() {
						err = errors.Join(err, os.RemoveAll(dir))
					}()
				}
				e.reports[c.name], err = e.runJob(k.job(c), dir, bucket)
				if err == nil && !k.filled {
					_, err = e.runJob(oursAtTheCommandLine.remove, tree, bucket)
				}
				return err
			}, nil
		},
	}
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
	seed := rand.NewChaCha8([32]byte{1})
	small := make([]byte, commandLineFileBytes)
	for i := range commandLineFiles {
		_, _ = seed.Read(small) // never fails
		path := filepath.Join(dir, "small", fmt.Sprintf("%02d", i%100), fmt.Sprintf("%05d", i))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, small, 0o644)); err != nil {
			return "", err
		}
	}
	large, err := os.Create(filepath.Join(dir, "large"))
	if err != nil {
		return "", err
	}
	_, err = io.CopyN(large, seed, commandLineLarge<<20)
	return dir, errors.Join(err, large.Close())
}
