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
		all = append(all, program(rcloneFile, func(ctx context.Context, s jobServer, src, dst string) *exec.Cmd {
			// rclone would compare the ETag with the MD5 of the object, but the null server sends a
			// fixed ETag.
			return rcloneCommand(ctx, s, "copyto", src, dst, "--ignore-checksum")
		}, "peer:"))
	}
	if os.Getenv(s5cmdVariable) != "" {
		all = append(all, program(s5cmdFile, func(ctx context.Context, s jobServer, src, dst string) *exec.Cmd {
			return s5cmdCommand(ctx, s, "cp", src, dst)
		}, "s3://"))
	}
	return all
}

// program returns a contender that runs another program. remote is the beginning of
// the addresses that the program gets for objects, such as "s3://".
func program(
	name string, command func(ctx context.Context, s jobServer, from, to string) *exec.Cmd, remote string,
) contender {
	return contender{
		name: name,
		open: func(_ *env, server string) (client, error) {
			run := func(ctx context.Context, src, dst string) error {
				said, err := command(ctx, jobServer{server, accessKey, secretKey}, src, dst).CombinedOutput()
				if err != nil {
					err = fmt.Errorf("%s: %w: %s", name, err, said)
				}
				return err
			}
			return client{
				file: func(ctx context.Context, key, name string) error {
					return run(ctx, remote+s3Bucket+"/"+key, name)
				},
				// The uploaded file has only zeros. After the upload, rclone requests the size of the
				// object. The null server reads the size from the key, so the key must contain it.
				upload: func(ctx context.Context, _ string, _ io.Reader, size int64) error {
					file, err := os.CreateTemp("", "omnibucket-benchmarks-*")
					if err != nil {
						return err
					}
					defer func() { _ = os.Remove(file.Name()) }()
					if err := errors.Join(file.Truncate(size), file.Close()); err != nil {
						return err
					}
					return run(ctx, file.Name(), remote+s3Bucket+"/"+sized(int(size), 0))
				},
			}, nil
		},
	}
}
