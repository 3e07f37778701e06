package main

import (
	"embed"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

//go:embed all:sample
var sample embed.FS

var ownModule = regexp.MustCompile(`(?m)^module github\.com/omnibucket/storage$`)

// A tree is a directory whose files the tour uploads.
type tree struct {
	name string // name that the output shows
	fsys fs.FS
}

// openTree returns the tree at dir. If dir is "", it returns this repository or the built-in
// sample. It returns the repository if the working directory is the root of it.
func openTree(dir string) (tree, error) {
	if dir == "" {
		if gomod, err := os.ReadFile("go.mod"); err == nil && ownModule.Match(gomod) {
			return tree{name: "this repository", fsys: os.DirFS(".")}, nil
		}
		sub, err := fs.Sub(sample, "sample")
		return tree{name: "a sample that is built in", fsys: sub}, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return tree{}, err
	}
	if !info.IsDir() {
		return tree{}, &fs.PathError{Op: "read", Path: dir, Err: os.ErrInvalid}
	}
	return tree{name: filepath.ToSlash(dir), fsys: os.DirFS(dir)}, nil
}

// files returns the paths of the regular files in t, in the order of fs.WalkDir. It skips hidden
// directories, such as .git.
func (t tree) files() ([]string, error) {
	var paths []string
	err := fs.WalkDir(t.fsys, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if d.Type().IsRegular() {
			paths = append(paths, path)
		}
		return nil
	})
	return paths, err
}
