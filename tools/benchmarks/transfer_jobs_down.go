package main

import (
	"errors"
	"os"
)

// jobDownRow returns a row in which each operation downloads the tree to a new directory.
func jobDownRow(name string, download job) row {
	return row{
		name:   name,
		single: true,
		setup: func(e *env) (opFunc, error) {
			bucket, err := e.fullBucket()
			if err != nil {
				return nil, err
			}
			return e.reportOp(name, func() (*childReport, error) {
				dir, err := os.MkdirTemp("", "omnibucket-benchmarks-")
				if err != nil {
					return nil, err
				}
				report, err := e.runJob(download, dir, bucket)
				return report, errors.Join(err, os.RemoveAll(dir))
			}), nil
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
	if _, err := e.runJob(syncUp(), dir, bucket); err != nil {
		return "", err
	}
	e.shared[name] = bucket
	return bucket, nil
}

// syncUp returns a job that uploads with this library's command line.
func syncUp(flags ...string) job {
	return commandLine(append([]string{"sync", dirArg, bucketArg}, flags...)...)
}

// syncDown downloads with this library's command line.
var syncDown = commandLine("sync", bucketArg, dirArg)

func rcloneDown(flags ...string) job { return rcloneJob(flags, "copy", rcloneBucket, dirArg) }

var s5cmdDown = s5cmdJob("sync", s5cmdObjects, dirArg+"/")
