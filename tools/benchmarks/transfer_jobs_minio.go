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

// A jobServer is the server of the jobs.
type jobServer struct{ endpoint, key, secret string }

// jobServer returns MinIO, unless the case has started another server.
func (e *env) jobServer() (endpoint, key, secret string) {
	if own, ok := e.shared[jobServerName].(jobServer); ok {
		return own.endpoint, own.key, own.secret
	}
	return os.Getenv(minioVariable), os.Getenv(minioVariable + "_KEY"), os.Getenv(minioVariable + "_SECRET")
}

const jobServerName = "jobs-server"

// jobBucket creates an empty bucket, which is removed with its objects.
func (e *env) jobBucket() (name string, err error) {
	endpoint, key, secret := e.jobServer()
	profile, _ := s3.NamedProfile("minio")
	config := s3.Config{
		Endpoint: endpoint, Region: "us-east-1", PathStyle: new(true), AccessKeyID: key, SecretKey: secret,
		Profile: &profile,
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
		_, err = storage.RemoveVersions(ctx, b, func(yield func(storage.VersionEntry) bool) { // an object is one, too
			for v, err := range storage.Versions(ctx, b) {
				if listed = err; err != nil || !yield(v) {
					return
				}
			}
		})
		return errors.Join(listed, err, storage.Close(b), service.DeleteBucket(ctx, name), service.Close())
	})
	return name, nil
}

// migrate is our contender: the program of the example, built once.
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

// built returns the path of a program, which is built once from a package of the module in
// a directory.
func (e *env) built(name, module, pkg string, flags ...string) (program string, err error) {
	program, ok := e.shared["jobs-"+name].(string)
	if ok {
		return program, nil
	}
	in, err := e.dir()
	if err != nil {
		return "", err
	}
	program = filepath.Join(in, name)
	build := exec.CommandContext(
		e.ctx, "go",
		slices.Concat([]string{"build", "-C", module, "-o", program}, flags, []string{pkg})...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as releases are built
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w: %s", name, err, out)
	}
	e.shared["jobs-"+name] = program
	return program, nil
}

// ownAddress returns the address of a bucket, and an environment with its credentials.
func (e *env) ownAddress(bucket string) (address string, env []string) {
	endpoint, key, secret := e.jobServer()
	query := url.Values{"endpoint": {endpoint}, "region": {"us-east-1"}, "path_style": {"true"}, "profile": {"minio"}}
	return "s3://" + bucket + "?" + query.Encode(), append(
		os.Environ(), "AWS_ACCESS_KEY_ID="+key, "AWS_SECRET_ACCESS_KEY="+secret,
	)
}

// rclone runs rclone without a configuration, and without a check for the bucket.
func rclone(flags ...string) job {
	return func(e *env, dir, bucket string) (*exec.Cmd, error) {
		return e.rclonePeer(append([]string{"copy", dir, "peer:" + bucket}, flags...)), nil
	}
}

// rcloneCommand runs rclone; peer: is the server.
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

// s5cmd runs s5cmd with its default number of workers.
func s5cmd() job {
	return func(e *env, dir, bucket string) (*exec.Cmd, error) {
		return e.s5cmdPeer("sync", dir+"/", "s3://"+bucket+"/"), nil
	}
}

func s5cmdCommand(ctx context.Context, s jobServer, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(
		ctx, os.Getenv(s5cmdVariable),
		append([]string{"--endpoint-url", s.endpoint, "--log", "error"}, args...)...)
	cmd.Env = append(
		os.Environ(), "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID="+s.key, "AWS_SECRET_ACCESS_KEY="+s.secret,
	)
	return cmd
}
