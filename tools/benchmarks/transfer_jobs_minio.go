package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
)

// A jobServer holds the address and the credentials of the server to which the jobs transfer.
type jobServer struct{ endpoint, key, secret string }

// jobServer returns the server of the jobs: the one that the case has started, or otherwise MinIO.
func (e *env) jobServer() (endpoint, key, secret string) {
	if s, ok := e.shared[jobServerName].(jobServer); ok {
		return s.endpoint, s.key, s.secret
	}
	return os.Getenv(minioVariable), os.Getenv(minioVariable + "_KEY"), os.Getenv(minioVariable + "_SECRET")
}

const jobServerName = "jobs-server"

// jobBucket creates an empty bucket. The bucket and its objects are removed after the case.
func (e *env) jobBucket() (name string, err error) {
	endpoint, key, secret := e.jobServer()
	profile, _ := s3.NamedProfile("minio")
	config := s3.Config{
		Endpoint:    endpoint,
		Region:      "us-east-1",
		PathStyle:   new(true),
		AccessKeyID: key,
		SecretKey:   secret,
		Profile:     &profile,
	}

	n, _ := e.shared["jobs-buckets"].(int)
	e.shared["jobs-buckets"] = n + 1
	name = fmt.Sprintf("omnibucket-jobs-%d-%d", os.Getpid(), n)

	service, err := s3.NewService(e.ctx, config)
	if err != nil {
		return "", err
	}
	if _, err := service.CreateBucket(e.ctx, name); err != nil {
		return "", err
	}

	e.cleanup = append(e.cleanup, func() error {
		ctx := context.WithoutCancel(e.ctx)
		b, err := service.Bucket(name, storage.WithVersioning(true))
		if err != nil {
			return err
		}
		var listed error
		_, err = storage.RemoveVersions(ctx, b, func(yield func(storage.VersionEntry) bool) { // all versions
			for v, err := range storage.Versions(ctx, b) {
				listed = err
				if err != nil || !yield(v) {
					return
				}
			}
		})
		return errors.Join(listed, err, storage.Close(b), service.DeleteBucket(ctx, name), service.Close())
	})
	return name, nil
}

// migrate returns a job that runs the program examples/migrate. The first call builds it.
func migrate(flags ...string) job {
	return func(e *env, dir, bucket string) (*exec.Cmd, error) {
		program, err := e.built("migrate", "../..", "./examples/migrate")
		if err != nil {
			return nil, err
		}
		address, env := e.ownAddress(bucket)
		cmd := exec.CommandContext(e.ctx, program, append(flags, dir, address)...)
		cmd.Env = env
		return cmd, nil
	}
}

// built returns the path of a built program. The first call builds it from the package pkg of a
// module.
func (e *env) built(name, module, pkg string, flags ...string) (program string, err error) {
	program, ok := e.shared["jobs-"+name].(string)
	if ok {
		return program, nil
	}
	dir, err := e.dir()
	if err != nil {
		return "", err
	}
	program = filepath.Join(dir, name)
	build := exec.CommandContext(
		e.ctx, "go",
		slices.Concat([]string{"build", "-C", module, "-o", program}, flags, []string{pkg})...)
	// Build like the released programs.
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if data, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w: %s", name, err, data)
	}
	e.shared["jobs-"+name] = program
	return program, nil
}

// ownAddress returns the address of a bucket for this library, and an environment with its
// credentials.
func (e *env) ownAddress(bucket string) (address string, env []string) {
	endpoint, key, secret := e.jobServer()
	query := url.Values{"endpoint": {endpoint}, "region": {"us-east-1"}, "path_style": {"true"}, "profile": {"minio"}}
	return "s3://" + bucket + "?" + query.Encode(), append(os.Environ(), "AWS_ACCESS_KEY_ID="+key,
		"AWS_SECRET_ACCESS_KEY="+secret)
}

// rclone returns a job that uploads with rclone. rclone has no configuration file, and does not
// check whether the bucket exists.
func rclone(flags ...string) job {
	return func(e *env, dir, bucket string) (*exec.Cmd, error) {
		return e.rclonePeer(append([]string{"copy", dir, "peer:" + bucket}, flags...)), nil
	}
}

// rcloneCommand returns a command that runs rclone. In args, "peer:" stands for the server s.
func rcloneCommand(ctx context.Context, s jobServer, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(
		ctx, os.Getenv(rcloneVariable),
		append(args, "--config", os.DevNull, "--s3-no-check-bucket")...)
	cmd.Env = append(
		os.Environ(), "RCLONE_CONFIG_PEER_TYPE=s3", "RCLONE_CONFIG_PEER_PROVIDER=Minio",
		"RCLONE_CONFIG_PEER_REGION=us-east-1", "RCLONE_CONFIG_PEER_ENDPOINT="+s.endpoint,
		"RCLONE_CONFIG_PEER_ACCESS_KEY_ID="+s.key, "RCLONE_CONFIG_PEER_SECRET_ACCESS_KEY="+s.secret,
	)
	return cmd
}

// s5cmd returns a job that uploads with s5cmd and its default number of workers.
func s5cmd() job {
	return func(e *env, dir, bucket string) (*exec.Cmd, error) {
		return e.s5cmdPeer("sync", dir+"/", "s3://"+bucket+"/"), nil
	}
}

func s5cmdCommand(ctx context.Context, s jobServer, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(
		ctx, os.Getenv(s5cmdVariable),
		append([]string{"--endpoint-url", s.endpoint, "--log", "error"}, args...)...)
	cmd.Env = append(os.Environ(), "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID="+s.key, "AWS_SECRET_ACCESS_KEY="+s.secret)
	return cmd
}
