package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/omnibucket/storage/tools/benchmarks/process"
	"github.com/omnibucket/storage/tools/benchmarks/record"
)

const (
	// These environment variables hold the paths of server programs. The cache of testservers
	// contains both programs.
	minioProgramVariable     = "OMNIBUCKET_MINIO"
	versitygwProgramVariable = "OMNIBUCKET_VERSITYGW"

	serverInMemory    = "s3server/cmd/s3server, memory"
	serverOnDirectory = "s3server/cmd/s3server, a directory"
	serverUnsynced    = "s3server/cmd/s3server, a directory without flushes" // does not sync, like versitygw
	serverMinIO       = "MinIO"
	serverVersityGW   = "versitygw"

	serverFileBytes = 4 << 10
)

// serverNames returns the servers to compare. versitygw is included only if its variable is set.
func serverNames() []string {
	names := []string{serverInMemory, serverOnDirectory, serverUnsynced, serverMinIO}
	if os.Getenv(versitygwProgramVariable) != "" {
		names = append(names, serverVersityGW)
	}
	return names
}

// s3ServerCases returns the cases that compare s3server/cmd/s3server with MinIO and versitygw. The
// client is s5cmd. Each row has its own server process, and shows the CPU time and memory of that
// process. If s5cmd or MinIO is missing, there are no cases. The flag -large sets the size of the
// large file:
//
//	OMNIBUCKET_S5CMD=~/go/bin/s5cmd OMNIBUCKET_MINIO=… OMNIBUCKET_VERSITYGW=… go run . -run s3server -files 2000 -large 200
func s3ServerCases() []benchCase {
	if os.Getenv(minioProgramVariable) == "" || os.Getenv(s5cmdVariable) == "" {
		return nil
	}

	// The first three servers are those of this library. The goals compare them with the others.
	var ahead, lighter []goal
	for _, other := range serverNames()[3:] {
		ahead = append(ahead, faster(serverInMemory, other, 1), faster(serverOnDirectory, other, 1))
		lighter = append(lighter, lessMemory(serverOnDirectory, other, 1))
	}

	transfer := func(name, title string, large bool, command serverCommand, memory ...goal) benchCase {
		return benchCase{
			name:  "s3server-" + name,
			title: title,
			rows:  serverRows(large, command),
			goals: slices.Concat(ahead, memory),
		}
	}

	small := fmt.Sprintf("%d files of 4 KiB", listedKeys)
	large := fmt.Sprintf("a file of %d MiB", commandLineLarge)
	storedBytes := float64(int64(listedKeys)*serverFileBytes + commandLineLarge<<20)
	return []benchCase{
		transfer("up", small+" to a server, by s5cmd with 16 workers", false, uploadTree, lighter...),
		transfer("list", "a list of them", false, listTree, lighter...),
		transfer("down", "and back", false, downloadTree, lighter...),
		transfer("up-large", large+" to a server, by s5cmd", true, uploadTree, lighter...),
		transfer("down-large", "and back", true, downloadTree, lighter...),
		{
			name:  "s3server-memory",
			title: "all of this, with a new server",
			rows:  memoryRows(),
			goals: []goal{
				memoryAtMost(serverInMemory, 1.5*storedBytes+50<<20), lessMemory(serverOnDirectory, serverMinIO, 0.25),
			},
		},
		s3ServerSteps(small, large),
		{
			name:  "s3server-start",
			title: "from the start of the program to its first response",
			rows:  startRows(),
			goals: []goal{
				timeAtMost(serverInMemory, 50*time.Millisecond),
				timeAtMost(serverOnDirectory, 50*time.Millisecond), serverSize(15_000_000),
			},
		},
	}
}

// A serverCommand is a measured s5cmd command. Its arguments are made from the directory that an
// upload reads, the bucket, and the directory to which a download writes.
type serverCommand struct {
	uploads bool
	args    func(tree, bucket, back string) []string
}

var (
	uploadTree = serverCommand{
		uploads: true,
		args:    func(tree, bucket, _ string) []string { return []string{"cp", tree + "/", bucket + "/"} },
	}
	listTree = serverCommand{
		args: func(_, bucket, _ string) []string { return []string{"ls", bucket + "/*"} },
	}
	downloadTree = serverCommand{
		args: func(_, bucket, back string) []string { return []string{"cp", bucket + "/*", back + "/"} },
	}
)

// serverRows returns a row for each server. Its op measures a command, on a server whose bucket
// s3://full has the tree of small or large files.
func serverRows(large bool, command serverCommand) (rows []row) {
	for _, name := range serverNames() {
		rows = append(rows, row{
			name:   name,
			single: true,
			setup: func(e *env) (opFunc, error) {
				s, err := e.startS3Server(name)
				if err != nil {
					return nil, err
				}
				tree, err := e.serverTree(large)
				if err != nil {
					return nil, err
				}
				if err := s.s5cmd(e.ctx, "mb", "s3://full"); err != nil {
					return nil, err
				}
				if err := s.s5cmd(e.ctx, uploadTree.args(tree, "s3://full", "")...); err != nil {
					return nil, err
				}
				return e.reportOp(name, func() (*childReport, error) { return s.runCommand(e.ctx, tree, command) }), nil
			},
		})
	}
	return rows
}

// runCommand runs and measures one command. The target of an upload is an empty bucket, and the
// target of a download is an empty directory. A list or a download reads the bucket s3://full, which
// has the whole tree.
func (s *s3Process) runCommand(ctx context.Context, tree string, command serverCommand) (report *childReport, err error) {
	downloadDir, err := os.MkdirTemp("", "omnibucket-benchmarks-")
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, os.RemoveAll(downloadDir))
	}()

	if err := s.s5cmd(ctx, "mb", "s3://empty"); err != nil {
		return nil, err
	}
	bucket := "s3://full"
	if command.uploads {
		bucket = "s3://empty"
	}
	args := command.args(tree, bucket, downloadDir)

	cpuBefore := s.cpu()
	start := time.Now()
	if err := s.s5cmd(ctx, args...); err != nil {
		return nil, err
	}
	report = &childReport{Nanos: float64(time.Since(start)), CPU: s.cpu() - cpuBefore, Resident: s.peak()}

	// Only an empty bucket can be removed.
	if command.uploads {
		if err := s.s5cmd(ctx, "rm", bucket+"/*"); err != nil {
			return nil, err
		}
	}
	return report, s.s5cmd(ctx, "rb", "s3://empty")
}

// memoryRows returns a row for each server. Its op starts the server, and measures all commands with
// both trees together.
func memoryRows() (rows []row) {
	for _, name := range serverNames() {
		rows = append(rows, row{
			name: name,
			once: true,
			setup: func(e *env) (opFunc, error) {
				return e.reportOp(name, func() (*childReport, error) { return e.measureAll(name) }), nil
			},
		})
	}
	return rows
}

// measureAll starts the named server, and measures all commands with both trees together.
func (e *env) measureAll(name string) (*childReport, error) {
	s, err := e.startS3Server(name)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	if err := s.runAll(e); err != nil {
		return nil, err
	}
	return &childReport{Nanos: float64(time.Since(start)), CPU: s.cpu(), Resident: s.peak()}, nil
}

// runAll runs each command with the tree of small files, and then each with the large file.
func (s *s3Process) runAll(e *env) error {
	for _, large := range []bool{false, true} {
		tree, err := e.serverTree(large)
		if err != nil {
			return err
		}
		downloadDir, err := e.dir()
		if err != nil {
			return err
		}
		// Each tree has a bucket of its own.
		bucket := "s3://all0"
		if large {
			bucket = "s3://all1"
		}
		if err := s.s5cmd(e.ctx, "mb", bucket); err != nil {
			return err
		}
		for _, command := range []serverCommand{uploadTree, listTree, downloadTree} {
			if err := s.s5cmd(e.ctx, command.args(tree, bucket, downloadDir)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// measureStart starts the named server once.
func (e *env) measureStart(name string) (*childReport, error) {
	s, err := e.startS3Server(name)
	if err != nil {
		return nil, err
	}
	return &childReport{Nanos: float64(s.started), CPU: s.cpu(), Resident: s.peak()}, nil
}

// startRows returns a row for each server. Its op starts the server once, and reports the duration
// until the first response and the resources of the new process.
func startRows() (rows []row) {
	for _, name := range serverNames() {
		rows = append(rows, row{
			name:   name,
			single: true,
			setup: func(e *env) (opFunc, error) {
				return e.reportOp(name, func() (*childReport, error) { return e.measureStart(name) }), nil
			},
		})
	}
	return rows
}

// An s3Process is a running server process.
type s3Process struct {
	server  jobServer
	pid     int
	started time.Duration // time from its start to its first response
	end     func() error  // ends the server, but keeps its data until the end of the case
}

// startS3Server starts the named server, which ends when the case ends.
func (e *env) startS3Server(name string) (*s3Process, error) {
	dir, err := e.dir()
	if err != nil {
		return nil, err
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := listener.Addr().String()
	// Make the port free for the server.
	_ = listener.Close()
	const key, secret = "benchmarks", "benchmarks-secret"

	cmd, err := e.s3ServerCommand(name, address, dir)
	if err != nil {
		return nil, err
	}
	cmd.Env = append(
		os.Environ(), "AWS_ACCESS_KEY_ID="+key, "AWS_SECRET_ACCESS_KEY="+secret, "MINIO_ROOT_USER="+key,
		"MINIO_ROOT_PASSWORD="+secret, "MINIO_BROWSER=off", "ROOT_ACCESS_KEY="+key, "ROOT_SECRET_KEY="+secret,
	)

	start := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &s3Process{
		server: jobServer{"http://" + address, key, secret},
		pid:    cmd.Process.Pid,
		end: func() error {
			_ = cmd.Process.Kill()
			// Wait always fails, because the server was killed.
			_ = cmd.Wait()
			return nil
		},
	}
	e.cleanup = append(e.cleanup, s.end)

	for {
		if response, err := http.Get(s.server.endpoint); err == nil {
			s.started = time.Since(start)
			return s, response.Body.Close()
		}
		if time.Since(start) > time.Minute {
			return nil, fmt.Errorf("%s does not answer", name)
		}
		time.Sleep(time.Millisecond)
	}
}

// s3ServerCommand returns a command that starts the named server. The server stores its data in dir,
// or in memory.
func (e *env) s3ServerCommand(name, address, dir string) (*exec.Cmd, error) {
	switch name {
	case serverMinIO:
		program := os.Getenv(minioProgramVariable)
		return exec.CommandContext(e.ctx, program, "server", "--quiet", "--address", address, dir), nil
	case serverVersityGW:
		program := os.Getenv(versitygwProgramVariable)
		return exec.CommandContext(
			e.ctx, program, "--port", address, "--region", "us-east-1", "--quiet", "posix", dir,
		), nil
	}

	program, err := e.built("s3server", "../..", "./s3server/cmd/s3server")
	if err != nil {
		return nil, err
	}
	args := []string{"--listen", address}
	switch name {
	case serverOnDirectory:
		args = append(args, dir)
	case serverUnsynced:
		args = append(args, "file://"+dir+"?sync=false")
	}
	return exec.CommandContext(e.ctx, program, args...), nil
}

func (s *s3Process) s5cmd(ctx context.Context, args ...string) error {
	cmd := s5cmdCommand(ctx, s.server, append([]string{"--numworkers", "16"}, args...)...)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("s5cmd %s: %w: %s", strings.Join(args, " "), err, output)
	}
	return nil
}

// peak returns the largest resident memory that the server has had, in bytes.
func (s *s3Process) peak() float64 {
	return process.PeakOf(s.pid)
}

// cpu returns the CPU time that the server has used so far, in nanoseconds.
func (s *s3Process) cpu() float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	// Cut after the name, because the name may contain spaces.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	// These are the fields utime and stime of proc(5).
	var user, system float64
	_, _ = fmt.Sscan(fields[11], &user)
	_, _ = fmt.Sscan(fields[12], &system)
	const tick = 1e9 / 100 // length of a clock tick of Linux in nanoseconds
	return (user + system) * tick
}

// serverTree returns a directory with small files, or with one large file. The first call creates
// it.
func (e *env) serverTree(large bool) (string, error) {
	name := fmt.Sprintf("s3server-tree-%t", large)
	if dir, ok := e.shared[name].(string); ok {
		return dir, nil
	}
	dir, err := e.dir()
	if err != nil {
		return "", err
	}
	e.shared[name] = dir
	files := listedKeys
	size := int64(serverFileBytes)
	if large {
		files = 1
		size = commandLineLarge << 20
	}
	seed := rand.NewChaCha8([32]byte{1})
	for i := range files {
		if err := randomFile(filepath.Join(dir, fmt.Sprintf("%06d", i)), seed, size); err != nil {
			return "", err
		}
	}
	return dir, nil
}

func randomFile(name string, seed *rand.ChaCha8, size int64) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = io.CopyN(file, seed, size)
	return errors.Join(err, file.Close())
}

// timeAtMost limits the time of an operation. one is the name of the row, and the
// parameter limit is its longest time.
func timeAtMost(one string, limit time.Duration) goal {
	return goal{fmt.Sprintf("%s: at most %s", one, limit), func(rows map[string]*result) (string, bool) {
		value := median(rows[one].nanos)
		return record.Nanos(value), value <= float64(limit)
	}}
}

// serverSize requires that the program of our server, without symbols, has at most that many bytes.
func serverSize(limit int64) goal {
	return goal{
		fmt.Sprintf("the stripped program has at most %s", record.Size(float64(limit))),
		func(map[string]*result) (string, bool) {
			size, err := strippedServerSize()
			if err != nil {
				return err.Error(), false
			}
			return record.Size(float64(size)), size <= limit
		},
	}
}

// strippedServerSize builds s3server without debugging information, and returns the size of the
// program in bytes.
func strippedServerSize() (int64, error) {
	dir, err := os.MkdirTemp("", "omnibucket-benchmarks-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program := filepath.Join(dir, "s3server")
	cmd := exec.Command("go", "build", "-C", "../..", "-trimpath", "-ldflags=-s -w", "-o", program, "./s3server/cmd/s3server")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := cmd.CombinedOutput(); err != nil {
		return 0, errors.New(string(output))
	}
	info, err := os.Stat(program)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
