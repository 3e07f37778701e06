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

// postgres is the PostgreSQL that is installed on the system. It stores the records of files. Its
// version is not pinned, because the tests pass with each version in Debian.
var postgres = postgresTool{}

const (
	postgresUser     = "omnibucket"
	postgresPassword = "omnibucket-password"
)

// launchPostgres creates a database cluster for one run of tests. The cluster does not wait until
// data is on the disk.
func launchPostgres(p instance) (launch, error) {
	data := filepath.Join(p.dir, "data")
	password := filepath.Join(p.dir, "password")
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
		Scheme:   "postgres",
		User:     url.UserPassword(postgresUser, postgresPassword),
		Host:     p.host,
		Path:     "/postgres",
		RawQuery: "sslmode=disable",
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

// runPostgres runs a program of PostgreSQL, such as initdb, until it ends.
func runPostgres(dir, program string, args ...string) error {
	line, err := postgresLine(program)
	if err != nil {
		return err
	}
	command := exec.Command(line[0], append(line[1:], args...)...)
	command.Dir = dir
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w:\n%s", program, err, output)
	}
	return nil
}

// A postgresTool is the PostgreSQL that is installed on the system.
type postgresTool struct{}

var _ tool = postgresTool{}

func (postgresTool) dir() string    { return "postgres" }
func (postgresTool) pins() []string { return nil }

// stamp returns the directory of PostgreSQL's programs as a text. Each version has its own
// directory.
func (postgresTool) stamp(context.Context) (string, error) {
	dir, err := postgresPrograms()
	return strings.Trim(strings.ReplaceAll(dir, string(filepath.Separator), "-"), "-"), err
}

// build creates a symbolic link to the directory of the installed programs. There is nothing to
// build.
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
