// Package golist runs "go list" for the checks of this repository.
package golist

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// Packages runs "go list -json" in the directory dir, and returns the packages that match the
// patterns. The second argument has the names of the fields that P needs, separated by commas. The
// variables in env are added to the environment.
func Packages[P any](dir, fields string, env []string, patterns ...string) ([]P, error) {
	cmd := exec.Command("go", append([]string{"list", "-json=" + fields}, patterns...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	data, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var packages []P
	for decoder := json.NewDecoder(bytes.NewReader(data)); ; {
		var p P
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages, nil
		}
		if err != nil {
			return nil, err
		}
		packages = append(packages, p)
	}
}
