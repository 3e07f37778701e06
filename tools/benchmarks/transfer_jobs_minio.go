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
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/s3"
)

// A jobServer holds the address and the credentials of the server to which the jobs transfer.
type jobServer struct{ endpoint, key, secret string }

// jobServer returns the server of the jobs: the one that the case has started, or otherwise MinIO.
func (e *env) jobServer() jobServer {
	if s, ok := e.shared[jobServerName].(jobServer); ok {
		return s
	}
	return jobServer{
		endpoint: os.Getenv(minioVariable),
		key:      os.Getenv(minioVariable + "_KEY"),
		secret:   os.Getenv(minioVariable + "_SECRET"),
	}
}

const jobServerName = "jobs-server"

// jobBucket creates an empty bucket with a new name on the server of the jobs. The bucket and its
// objects are removed after the case.
func (e *env) jobBucket() (name string, err error) {
	server := e.jobServer()
	profile, _ := s3.NamedProfile("minio") // this profile always exists
	config := s3.Config{
		Endpoint:    server.endpoint,
		Region:      "us-east-1",
		PathStyle:   new(true),
		AccessKeyID: server.key,
		SecretKey:   server.secret,
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
		err = removeAllVersions(ctx, b)
		return errors.Join(err, storage.Close(b), service.DeleteBucket(ctx, name), service.Close())
	})
	return name, nil
}

// removeAllVersions removes all versions of all objects in a bucket, so that the bucket can be
// removed. If the listing fails, it removes the versions listed so far, and returns the error.
func removeAllVersions(ctx context.Context, b storage.Bucket) error {
	var listErr error
	versions := func(yield func(storage.VersionEntry) bool) {
		for v, err := range storage.Versions(ctx, b) {
			if err != nil {
				listErr = err
				return
			}
			if !yield(v) {
				return
			}
		}
	}
	_, removeErr := storage.RemoveVersions(ctx, b, versions)
	return errors.Join(listErr, removeErr)
}

// In the arguments of a job, these words stand for the directory, and for the name or the address of
// the bucket.
const (
	dirArg    = "{directory}"
	bucketArg = "{bucket}"
)

// fillArgs returns a copy of args with the given values in place of dirArg and bucketArg.
func fillArgs(args []string, dir, bucket string) []string {
	values := strings.NewReplacer(dirArg, dir, bucketArg, bucket)
	filled := make([]string, len(args))
	for i, arg := range args {
		filled[i] = values.Replace(arg)
	}
	return filled
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
	server := e.jobServer()
	query := url.Values{
		"endpoint":   {server.endpoint},
		"region":     {"us-east-1"},
		"path_style": {"true"},
		"profile":    {"minio"},
	}
	address = "s3://" + bucket + "?" + query.Encode()
	env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+server.key, "AWS_SECRET_ACCESS_KEY="+server.secret)
	return address, env
}

// rcloneBucket stands for the bucket of the job in the arguments of rclone.
const rcloneBucket = "peer:" + bucketArg

// rclone returns a job that uploads with rclone. rclone has no configuration file, and does not
// check whether the bucket exists.
func rclone(flags ...string) job { return rcloneJob(flags, "copy", dirArg, rcloneBucket) }

// rcloneJob returns a job that runs rclone with the given arguments, followed by the flags.
func rcloneJob(flags []string, args ...string) job {
	return func(e *env, dir, bucket string) (*exec.Cmd, error) {
		return rcloneCommand(e.ctx, e.jobServer(), append(fillArgs(args, dir, bucket), flags...)...), nil
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
func s5cmd() job { return s5cmdJob("sync", dirArg+"/", "s3://"+bucketArg+"/") }

// s5cmdObjects stands for all objects of the job's bucket in the arguments of s5cmd.
const s5cmdObjects = "s3://" + bucketArg + "/*"

func s5cmdJob(args ...string) job {
	return func(e *env, dir, bucket string) (*exec.Cmd, error) {
		return s5cmdCommand(e.ctx, e.jobServer(), fillArgs(args, dir, bucket)...), nil
	}
}

func s5cmdCommand(ctx context.Context, s jobServer, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(
		ctx, os.Getenv(s5cmdVariable),
		append([]string{"--endpoint-url", s.endpoint, "--log", "error"}, args...)...)
	cmd.Env = append(os.Environ(), "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID="+s.key, "AWS_SECRET_ACCESS_KEY="+s.secret)
	return cmd
}
