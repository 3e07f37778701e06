package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/omnibucket/storage/s3server"
)

const (
	throttledFiles = 1000
	throttledRate  = 150 // number of writes per second that the server accepts
)

// throttledJobCases returns the cases that compare a job with rclone and s5cmd on a throttled
// server. The server is a server of package s3server in this process. It accepts 150 writes per
// second, and refuses more with 503 SlowDown. If a program loses a file, its row fails. A program
// takes part if its variable is set:
//
//	OMNIBUCKET_RCLONE=~/go/bin/rclone OMNIBUCKET_S5CMD=~/go/bin/s5cmd go run . -run jobs-throttled
func throttledJobCases() []benchCase {
	if os.Getenv(rcloneVariable) == "" && os.Getenv(s5cmdVariable) == "" {
		return nil
	}
	c := benchCase{
		name:  "jobs-throttled",
		title: fmt.Sprintf("%d small files into a server that takes %d writes a second", throttledFiles, throttledRate),
		rows: []row{
			throttledRow(ours, migrate()),
			throttledRow(ours256, migrate("-concurrency", "256")),
		},
	}
	if os.Getenv(rcloneVariable) != "" {
		c.rows = append(
			c.rows, throttledRow(rcloneBest, rclone("--transfers", "32", "--checkers", "32")),
			throttledRow(rcloneOwn, rclone()),
		)
		c.goals = append(c.goals, within(rcloneBest, 1.2), within(rcloneOwn, 1.2))
	}
	if os.Getenv(s5cmdVariable) != "" {
		c.rows = append(c.rows, throttledRow(s5cmdOwn, s5cmd()))
		c.goals = append(c.goals, within(s5cmdOwn, 1.2))
	}
	return []benchCase{c}
}

// throttledRow is like jobRow, but uses the throttled server. It fails unless the server has every
// file after the job.
func throttledRow(name string, upload job) row {
	return row{
		name:   name,
		single: true,
		setup: func(e *env) (opFunc, error) {
			server, err := e.throttledServer()
			if err != nil {
				return nil, err
			}
			dir, err := e.jobTree()
			if err != nil {
				return nil, err
			}
			return e.reportOp(name, func() (*childReport, error) {
				bucket, err := e.jobBucket()
				if err != nil {
					return nil, err
				}
				server.Reset() // forgets the requests of earlier jobs
				report, err := e.runJob(upload, dir, bucket)
				if err != nil {
					return nil, err
				}
				if n := storedFiles(server); n != throttledFiles {
					return nil, fmt.Errorf("%s stored %d of %d files", name, n, throttledFiles)
				}
				return report, nil
			}), nil
		},
	}
}

// storedFiles returns how many objects were stored by the requests that the server has recorded.
func storedFiles(server *s3server.Server) int {
	keys := map[string]bool{}
	for _, r := range server.Requests() {
		if r.Operation == "PutObject" && r.Status == 200 {
			keys[r.Key] = true
		}
	}
	return len(keys)
}

// throttledServer returns the server that all rows of the case share. Its first call starts the
// server, and makes it the server of all jobs in the case.
func (e *env) throttledServer() (*s3server.Server, error) {
	const name = "jobs-throttled-server"
	if server, ok := e.shared[name].(*s3server.Server); ok {
		return server, nil
	}

	// The record has room for all requests of a job, because a row counts the stored files in it.
	server, err := s3server.Start(s3server.Config{Strict: true, Record: 100_000})
	if err != nil {
		return nil, err
	}
	e.closeAtEnd(server.Close)
	server.Inject(s3server.Fault{Operation: "PutObject", Error: "SlowDown", Rate: throttledRate})
	e.shared[name] = server
	e.shared[jobServerName] = jobServer{server.URL, s3server.DefaultAccessKeyID, s3server.DefaultSecretKey}
	return server, nil
}

func throttledTree(dir string) error {
	for i := range throttledFiles {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d", i)), []byte("0123456789"), 0o644); err != nil {
			return err
		}
	}
	return nil
}
