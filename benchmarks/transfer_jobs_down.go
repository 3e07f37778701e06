package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
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
	program, ok := e.shared["jobs-omnibucket"].(string)
	if !ok {
		in, err := e.dir()
		if err != nil {
			return nil, err
		}
		program = filepath.Join(in, "omnibucket")
		if out, err := exec.CommandContext(e.ctx, "go", "build", "-C", "../cmd/omnibucket", "-o", program, ".").CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building omnibucket: %w: %s", err, out)
		}
		e.shared["jobs-omnibucket"] = program
	}
	endpoint, key, secret := e.jobServer()
	query := url.Values{"endpoint": {endpoint}, "region": {"us-east-1"}, "path_style": {"true"}, "profile": {"minio"}}
	cmd := exec.CommandContext(e.ctx, program, "sync", "s3://"+bucket+"?"+query.Encode(), dir)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+key, "AWS_SECRET_ACCESS_KEY="+secret)
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
