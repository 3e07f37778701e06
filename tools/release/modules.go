package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

const library = "github.com/omnibucket/storage"

// unpublished lists the directories of modules that get no tag, because only this repository uses
// them.
var unpublished = []string{"tools"}

func isPublished(dir string) bool {
	return !slices.ContainsFunc(unpublished, func(name string) bool { return dir == name || strings.HasPrefix(dir, name+"/") })
}

// moduleDirs returns the directories that contain a go.mod, relative to the root of the repository.
// The root itself is ".".
func (r *repository) moduleDirs() ([]string, error) {
	data, err := exec.Command("git", "-C", r.root, "ls-files", "go.mod", "*/go.mod").Output()
	if err != nil {
		return nil, fmt.Errorf("git ls-files: %w", err)
	}
	var dirs []string
	for name := range strings.Lines(string(data)) {
		dirs = append(dirs, path.Dir(strings.TrimSpace(name)))
	}
	return dirs, nil
}

// checkArchives creates the archive of each published module from the last commit, as a module
// proxy does. The check fails if the name or the size of a file is not permitted in a module.
func checkArchives(r *repository) error {
	dirs, err := r.moduleDirs()
	if err != nil {
		return err
	}
	export, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(export) }()
	if err := r.command(".", nil, "sh", "-c", `git archive HEAD | tar -x -C "$0"`, export); err != nil {
		return err
	}
	var errs []error
	for _, dir := range dirs {
		if isPublished(dir) {
			errs = append(errs, r.checkArchive(export, dir))
		}
	}
	return errors.Join(errs...)
}

// checkArchive checks the go.mod of the module in the folder dir of export, creates its archive, and
// prints the size. Without a version of the release, the archive has another version, which is valid.
func (r *repository) checkArchive(export, dir string) error {
	name := filepath.Join(export, dir, "go.mod")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	file, err := modfile.Parse(name, text, nil)
	if err != nil {
		return err
	}
	modulePath := path.Join(library, dir)
	if file.Module.Mod.Path != modulePath {
		return fmt.Errorf("%s/go.mod: the module must be %s", dir, modulePath)
	}
	var size counter
	version := module.Version{Path: modulePath, Version: cmp.Or(r.version, "v0.0.1-check")}
	if err := zip.CreateFromDir(&size, version, filepath.Dir(name)); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	fmt.Printf("%-28s %5d KiB%s\n", dir, size>>10, pending(file))
	return nil
}

// pending returns what must still change in the go.mod of a module before it is tagged, or "". A
// requirement of version v0.0.0 works only together with a replace directive, which other modules
// ignore.
func pending(file *modfile.File) string {
	for _, required := range file.Require {
		if strings.HasPrefix(required.Mod.Path, library) && required.Mod.Version == "v0.0.0" {
			return ", requires our other modules: make release-tags"
		}
	}
	return ""
}

// A counter is an io.Writer that counts the bytes.
type counter int64

var _ io.Writer = (*counter)(nil)

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
