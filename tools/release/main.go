// Release is a dry run of a release. It checks the changelog, the list of the exported API, and the
// archives of the modules. It also checks that other programs can import the adapters, what programs
// with one driver download, that our
// programs compile for every system, and that Dependabot updates every module. It changes nothing:
//
//	go run -C tools/release .                      # is the next release in order?
//	go run -C tools/release . -version v0.1.0      # as the workflow of the tag runs it
//	go run -C tools/release . -full                # builds the command line for every system, too
//
// With -tag, it creates the tags of a release in place of the checks. It tags the library and all
// modules, and pushes nothing:
//
//	go run -C tools/release . -version v0.1.0 -tag
//
// With -program, it creates the module in which .goreleaser.yaml builds the command line. With
// -notes, it writes the text of the release.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A check is one part of the dry run. run prints what it has checked.
type check struct {
	name string
	run  func(*repository) error
}

var checks = []check{
	{"changelog", checkChangelog},
	{"exported API", checkAPI},
	{"updates of dependencies", checkUpdates},
	{"archives of modules", checkArchives},
	{"programs of others with the adapters", checkConsumers},
	{"downloads of programs", checkDownloads},
	{"programs", checkPrograms},
}

// A repository is the repository to check, with the values of the flags.
type repository struct {
	root    string
	golang  string // path of the program go
	version string // version of the release, or "" for the next release
	full    bool
	notes   string // path of the file for the text of the release
}

func main() {
	r := &repository{}
	flag.StringVar(&r.golang, "go", "go", "the command `go`")
	flag.StringVar(&r.version, "version", "", "the `version` of the release, such as v0.1.0")
	flag.BoolVar(&r.full, "full", false, "build every program for every system")
	tags := flag.Bool("tag", false, "make the tags of the release")
	program := flag.Bool("program", false, "make the module in which the command line is built")
	flag.StringVar(&r.notes, "notes", "", "write the section of the changelog to a `file`")
	flag.Parse()

	root, err := filepath.Abs(filepath.Join("..", "..")) // the program runs in tools/release
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
	r.root = root

	// Each of these flags asks for one piece of work in place of the checks.
	if *tags {
		checks = []check{{"tags", tagAll}}
	}
	if r.notes != "" {
		checks = []check{{"notes", writeNotes}}
	}
	if *program {
		checks = []check{{"program", programModule}}
	}

	// A check that fails does not stop the others.
	hasFailed := false
	start := time.Now()
	for _, c := range checks {
		fmt.Printf("== %s (%.0fs)\n", c.name, time.Since(start).Seconds())
		if err := c.run(r); err != nil {
			fmt.Fprintf(os.Stderr, "release: %s: %v\n", c.name, err)
			hasFailed = true
		}
	}
	if hasFailed {
		os.Exit(1)
	}
}

// command runs a program in the directory dir of the repository. The program prints to the output
// of this program.
func (r *repository) command(dir string, env []string, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = filepath.Join(r.root, dir)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout = os.Stdout
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %v: %w", name, args, err)
	}
	return nil
}

// checkAPI fails if the exported API differs from the listings in docs/api.
func checkAPI(r *repository) error {
	return r.command(".", nil, r.golang, "run", "-C", "tools", "./checks/apilist")
}
