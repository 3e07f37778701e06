package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
)

// postgresSystemUser is the user that runs PostgreSQL if the tests run as root, because PostgreSQL
// refuses to run as root. Debian's package creates this user.
const postgresSystemUser = "postgres"

// postgresLine returns the command that runs a program of PostgreSQL, without the program's
// arguments.
func postgresLine(program string) ([]string, error) {
	dir, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, program)
	if os.Geteuid() != 0 {
		return []string{path}, nil
	}
	if _, _, err := postgresIDs(); err != nil {
		return nil, err
	}
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		return nil, fmt.Errorf(
			"PostgreSQL does not run as root, and setpriv, which would change the user, is missing: %w", err,
		)
	}
	return []string{
		setpriv, "--reuid=" + postgresSystemUser, "--regid=" + postgresSystemUser, "--init-groups",
		"--pdeathsig=keep", // keeps the effect of dieWithParent when the user changes
		path,
	}, nil
}

// chownToPostgres makes the user that runs PostgreSQL the owner of files.
func chownToPostgres(paths ...string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, err := postgresIDs()
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := os.Chown(path, uid, gid); err != nil {
			return err
		}
	}
	return nil
}

func postgresIDs() (uid, gid int, err error) {
	u, err := user.Lookup(postgresSystemUser)
	if err != nil {
		return 0, 0, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, err = strconv.Atoi(u.Uid)
	if err != nil {
		return 0, 0, err
	}
	gid, err = strconv.Atoi(u.Gid)
	return uid, gid, err
}

// postgresPrograms returns the directory of PostgreSQL's programs. It searches the PATH first, and
// then takes the latest version in Debian's directories.
func postgresPrograms() (string, error) {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	debian, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.SortFunc(debian, func(a, b string) int { return postgresVersion(b) - postgresVersion(a) })
	for _, dir := range slices.Concat(dirs, debian) {
		if isProgram(dir, "postgres") && isProgram(dir, "initdb") {
			return dir, nil
		}
	}
	return "", errors.New(
		"PostgreSQL is missing: install Debian's package postgresql, or put its programs, initdb among them, in the PATH",
	)
}

// postgresVersion returns the version in a directory such as /usr/lib/postgresql/15/bin.
func postgresVersion(dir string) int {
	version, err := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
	if err != nil {
		return 0
	}
	return version
}

func isProgram(dir, name string) bool {
	_, err := exec.LookPath(filepath.Join(dir, name))
	return dir != "" && err == nil
}
