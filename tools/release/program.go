package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// programModule makes the folder dist-program a module that requires the command line as its tag has it. A program
// that is built there names the versions of our modules, and so does the list of what is in it (SBOM). Built
// in this repository, it would name none. The Go command keeps the modules in its cache.
func programModule(r *repository) error {
	work, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	p, err := newProxy(r, work, r.version)
	if err != nil {
		return err
	}
	for _, dir := range []string{"layers/encrypt", "cmd/omnibucket"} {
		if err := p.tidy(dir); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	dir := filepath.Join(r.root, "dist-program")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	env, err := p.env()
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"mod", "init", "release"}, {"get", "-tool", library + "/cmd/omnibucket@" + r.version}, {"mod", "tidy"},
	} {
		cmd := exec.Command(r.golang, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), append(env, "GOFLAGS=")...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", args[0], err, out)
		}
	}
	return nil
}
