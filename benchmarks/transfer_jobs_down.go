package main

import (
	"errors"
	"os"
	"os/exec"
)

// jobDownRow returns a row that downloads the tree to a new directory.
func jobDownRow(name string, make job) row {
	return row{name: name, single: true, setup: func(e *env) (func(int) error, error) {
		bucket, err := e.fullBucket()
		if err != nil {
			return nil, err
		}
		return func(int) error {
			dir, err := os.MkdirTemp("", "omnibucket-benchmarks-")
			if err != nil {
				return err
			}
			e.reports[name], err = e.runJob(make, dir, bucket)
			return errors.Join(err, os.RemoveAll(dir))
		}, nil
	}}
}

// fullBucket returns the bucket that has the tree.
func (e *env) fullBucket() (string, error) {
	const name = "jobs-full"
	if bucket, ok := e.shared[name].(string); ok {
		return bucket, nil
	}
	dir, err := e.jobTree()
	if err != nil {
		return "", err
	}
	bucket, err := e.jobBucket()
	if err != nil {
		return "", err
	}
	_, err = e.runJob(migrate(), dir, bucket)
	e.shared[name] = bucket
	return bucket, err
}

// syncDown is our contender: the command line, built once.
func syncDown(e *env, dir, bucket string) (*exec.Cmd, error) {
	program, err := e.built("omnibucket", "../cmd/omnibucket", ".")
	if err != nil {
		return nil, err
	}
	address, env := e.ownAddress(bucket)
	cmd := exec.CommandContext(e.ctx, program, "sync", address, dir)
	cmd.Env = env
	return cmd, nil
}

func rcloneDown(flags ...string) job {
	return func(e *env, dir, bucket string) (*exec.Cmd, error) {
		return e.rclonePeer(append([]string{"copy", "peer:" + bucket, dir}, flags...)), nil
	}
}

func s5cmdDown(e *env, dir, bucket string) (*exec.Cmd, error) {
	return e.s5cmdPeer("sync", "s3://"+bucket+"/*", dir+"/"), nil
}

func (e *env) rclonePeer(args []string) *exec.Cmd {
	endpoint, key, secret := e.jobServer()
	return rcloneCommand(e.ctx, jobServer{endpoint, key, secret}, args...)
}

func (e *env) s5cmdPeer(args ...string) *exec.Cmd {
	endpoint, key, secret := e.jobServer()
	return s5cmdCommand(e.ctx, jobServer{endpoint, key, secret}, args...)
}
