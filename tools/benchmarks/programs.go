package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

const (
	rcloneFile = "rclone copyto"
	s5cmdFile  = "s5cmd cp"
)

// programs returns the programs rclone and s5cmd as contenders that transfer one file. A program is
// included if its variable is set. Its memory is not measured.
func programs() []contender {
	var all []contender
	if os.Getenv(rcloneVariable) != "" {
		all = append(all, program{rcloneFile, copyWithRclone, "peer:"}.contender())
	}
	if os.Getenv(s5cmdVariable) != "" {
		all = append(all, program{s5cmdFile, copyWithS5cmd, "s3://"}.contender())
	}
	return all
}

// copyWithRclone returns a command without a check of content. rclone would compare the ETag with
// the MD5 of the object, but the null server sends a fixed ETag.
func copyWithRclone(ctx context.Context, s jobServer, src, dst string) *exec.Cmd {
	return rcloneCommand(ctx, s, "copyto", src, dst, "--ignore-checksum")
}

func copyWithS5cmd(ctx context.Context, s jobServer, src, dst string) *exec.Cmd {
	return s5cmdCommand(ctx, s, "cp", src, dst)
}

// A program copies a file to or from a bucket with its command.
type program struct {
	name    string
	command func(ctx context.Context, s jobServer, src, dst string) *exec.Cmd
	remote  string // beginning of the addresses that the program gets for objects, such as "s3://"
}

func (p program) contender() contender { return contender{name: p.name, open: p.open} }

func (p program) open(_ *env, server string) (client, error) {
	s := programBucket{p, jobServer{server, accessKey, secretKey}}
	return client{file: s.file, upload: s.upload}, nil
}

// A programBucket makes the operations with a program.
type programBucket struct {
	program program
	server  jobServer
}

func (s programBucket) file(ctx context.Context, key, name string) error {
	return s.copy(ctx, s.address(key), name)
}

// upload uploads a file that has only zeros. After the upload, rclone requests the size of the
// object. The null server reads the size from the key, so the key must contain it.
func (s programBucket) upload(ctx context.Context, _ string, _ io.Reader, size int64) error {
	file, err := os.CreateTemp("", "omnibucket-benchmarks-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	if err := errors.Join(file.Truncate(size), file.Close()); err != nil {
		return err
	}
	return s.copy(ctx, file.Name(), s.address(sized(int(size), 0)))
}

func (s programBucket) address(key string) string { return s.program.remote + s3Bucket + "/" + key }

func (s programBucket) copy(ctx context.Context, src, dst string) error {
	output, err := s.program.command(ctx, s.server, src, dst).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", s.program.name, err, output)
	}
	return nil
}
