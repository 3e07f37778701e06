package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// PostgreSQL stores the records of files. It is that of the system and not pinned:
// the tests pass with each version that Debian has.
var postgres = postgresTool{}

const (
	postgresUser     = "omnibucket"
	postgresPassword = "omnibucket-password"
)

// launchPostgres creates a cluster for one test run. Its data need not reach the
// disk.
func launchPostgres(p instance) (launch, error) {
	data, password := filepath.Join(p.dir, "data"), filepath.Join(p.dir, "password")
	if err := os.WriteFile(password, []byte(postgresPassword+"\n"), 0o600); err != nil {
		return launch{}, err
	}
	if err := chownToPostgres(p.dir, password); err != nil {
		return launch{}, err
	}
	err := runPostgres(p.dir, "initdb",
		"--pgdata="+data, "--username="+postgresUser, "--pwfile="+password,
		"--auth-host=scram-sha-256", "--auth-local=reject",
		"--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if err != nil {
		return launch{}, err
	}
	host, port, err := splitHost(p)
	if err != nil {
		return launch{}, err
	}
	address := url.URL{
		Scheme: "postgres", User: url.UserPassword(postgresUser, postgresPassword), Host: p.host,
		Path: "/postgres", RawQuery: "sslmode=disable",
	}
	return launch{
		args: []string{
			"-D", data, "-h", host, "-p", port,
			"-c", "unix_socket_directories=",
			"-c", "max_connections=200",
			"-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off",
		},
		ready:  "http://" + p.host,
		client: postgresGreeter(net.Dialer{Timeout: askTimeout}),
		url:    address.String(),
	}, nil
}

// runPostgres runs a program of PostgreSQL and waits until it ends.
func runPostgres(dir, program string, args ...string) error {
	line, err := postgresLine(program)
	if err != nil {
		return err
	}
	command := exec.Command(line[0], append(line[1:], args...)...)
	command.Dir = dir
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w:\n%s", program, err, said)
	}
	return nil
}

// postgresTool is the PostgreSQL of the system.
type postgresTool struct{}

var _ tool = postgresTool{}

func (postgresTool) dir() string    { return "postgres" }
func (postgresTool) pins() []string { return nil }

// stamp depends on the directory of the programs, which differs by version.
func (postgresTool) stamp(context.Context) (string, error) {
	dir, err := postgresPrograms()
	return strings.Trim(strings.ReplaceAll(dir, string(filepath.Separator), "-"), "-"), err
}

// build links to the programs, because there is nothing to build.
func (postgresTool) build(_ context.Context, _, path string) error {
	dir, err := postgresPrograms()
	if err != nil {
		return err
	}
	return os.Symlink(dir, path)
}

func (postgresTool) command(context.Context, string) ([]string, error) {
	return postgresLine("postgres")
}
