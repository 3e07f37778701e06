// Importrules checks which packages import which. It reads the packages of the
// module in the working directory and prints each import that breaks a rule:
//
//	go run ./internal/importrules
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

func main() {
	broken, err := run("./...")
	for _, b := range broken {
		fmt.Println(b)
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "importrules:", err)
		os.Exit(2)
	case len(broken) > 0:
		os.Exit(1)
	}
}

func run(patterns ...string) ([]string, error) {
	packages, err := list(patterns)
	if err != nil {
		return nil, err
	}
	return check(packages), nil
}

// list runs "go list", which leaves out tests and their imports.
func list(patterns []string) ([]pkg, error) {
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Deps"}, patterns...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var packages []pkg
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return packages, nil
		case err != nil:
			return nil, err
		}
		packages = append(packages, p)
	}
}
