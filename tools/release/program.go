package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// programModule creates a module in the folder dist-program, which requires the tagged version of
// the command line. A program that is built in this module contains the versions of all our
// modules, and so does its list of components (SBOM). A program that is built in the repository
// itself does not contain them. The module cache keeps the downloaded modules.
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
	return p.run(dir, append(env, "GOFLAGS="), [][]string{
		{"mod", "init", "release"},
		{"get", "-tool", library + "/cmd/omnibucket@" + r.version},
		{"mod", "tidy"},
	})
}
