// Package repository finds the root directory of this repository. The checks need it, because they
// run in the module tools, and check the root module and the modules below it.
package repository

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Root returns the root directory of the repository. It searches the working directory and the
// directories above it.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		text, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(text), "module github.com/omnibucket/storage\n") {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("the working directory must be inside the repository")
		}
	}
}

// Enter changes the working directory of this process to the root directory of the repository.
func Enter() error {
	root, err := Root()
	if err != nil {
		return err
	}
	return os.Chdir(root)
}
