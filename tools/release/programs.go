package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A system is an operating system with an architecture.
type system struct{ os, arch string }

func (s system) env() []string { return []string{"GOOS=" + s.os, "GOARCH=" + s.arch, "CGO_ENABLED=0"} }

// A releaser is the part of .goreleaser.yaml that says which programs are built.
type releaser struct {
	Builds []struct {
		Main   string   `yaml:"main"` // path of a package in one of our modules
		Tags   []string `yaml:"tags"`
		GOOS   []string `yaml:"goos"`
		GOARCH []string `yaml:"goarch"`
	} `yaml:"builds"`
}

// checkPrograms checks every program in .goreleaser.yaml, for each system of that program. It
// resolves the packages that the program needs. If full is true, it also builds the program. In any
// case, it builds s3server for Linux, macOS and Windows.
func checkPrograms(r *repository) error {
	text, err := os.ReadFile(filepath.Join(r.root, ".goreleaser.yaml"))
	if err != nil {
		return err
	}
	var config releaser
	if err := yaml.Unmarshal(text, &config); err != nil {
		return err
	}
	if len(config.Builds) == 0 {
		return fmt.Errorf(".goreleaser.yaml builds nothing")
	}

	for _, build := range config.Builds {
		dir := strings.TrimPrefix(build.Main, library+"/")
		for _, s := range systems(build.GOOS, build.GOARCH) {
			if err := r.resolve(dir, build.Tags, s); err != nil {
				return err
			}
			if !r.full {
				continue
			}
			fmt.Println("building", dir, "for", s.os, s.arch)
			tags := strings.Join(build.Tags, ",")
			err := r.command(dir, s.env(), r.golang, "build", "-tags", tags, "-trimpath", "-o", os.DevNull, ".")
			if err != nil {
				return err
			}
		}
	}

	for _, name := range []string{"linux", "darwin", "windows"} {
		fmt.Println("building s3server/cmd/s3server for", name)
		env := system{name, runtime.GOARCH}.env()
		if err := r.command(".", env, r.golang, "build", "-o", os.DevNull, "./s3server/cmd/s3server"); err != nil {
			return err
		}
	}
	return nil
}

func systems(names, archs []string) []system {
	var all []system
	for _, name := range names {
		for _, arch := range archs {
			all = append(all, system{name, arch})
		}
	}
	return all
}

// resolve lists all packages that a program needs on a system. It fails if one of them has no files
// for that system.
func (r *repository) resolve(dir string, tags []string, s system) error {
	// The flag -e lists a package with an error, too. The template prints a line for each of them.
	cmd := exec.Command(
		r.golang, "list", "-deps", "-tags", strings.Join(tags, ","), "-f",
		"{{if .Error}}{{.ImportPath}}: {{.Error}}{{end}}", "-e", ".",
	)
	cmd.Dir = filepath.Join(r.root, dir)
	cmd.Env = append(os.Environ(), s.env()...)
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go list %s for %s/%s: %w", dir, s.os, s.arch, err)
	}

	// A package without an error makes an empty line.
	broken := slices.DeleteFunc(strings.Split(string(output), "\n"), func(line string) bool {
		return strings.TrimSpace(line) == ""
	})
	if len(broken) > 0 {
		return fmt.Errorf("%s for %s/%s: %s", dir, s.os, s.arch, strings.Join(broken, "; "))
	}
	return nil
}
