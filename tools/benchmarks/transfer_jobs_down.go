package main

import (
	"errors"
	"os"
	"os/exec"
)

// jobDownRow returns a row in which each operation downloads the tree to a new directory.
func jobDownRow(name string, make job) row {
	return row{
		name:   name,
		single: true,
		setup: func(e *env) (opFunc, error) {
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
		},
	}
}

// fullBucket returns the name of a bucket that contains the tree. The first call fills it.
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
	_, err = e.runJob(syncUp(), dir, bucket)
	e.shared[name] = bucket
	return bucket, err
}

// syncUp returns a job that uploads with this library's command line.
func syncUp(flags ...string) job {
	return func(e *env, dir, bucket string) (*exec.Cmd, error) {
		return e.commandLine(bucket, func(address string) []string {
			return append([]string{"sync", dir, address}, flags...)
		})
	}
}

// syncDown returns a command that downloads with this library's command line.
func syncDown(e *env, dir, bucket string) (*exec.Cmd, error) {
	return e.commandLine(bucket, func(address string) []string { return []string{"sync", address, dir} })
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
