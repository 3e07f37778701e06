package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// A dependabot is the part of .github/dependabot.yml that is checked.
type dependabot struct {
	Updates []struct {
		Ecosystem   string   `yaml:"package-ecosystem"`
		Directories []string `yaml:"directories"`
	} `yaml:"updates"`
}

// checkUpdates checks that Dependabot updates the dependencies of every module.
func checkUpdates(r *repository) error {
	text, err := os.ReadFile(filepath.Join(r.root, ".github", "dependabot.yml"))
	if err != nil {
		return err
	}
	dirs, err := r.moduleDirs()
	if err != nil {
		return err
	}
	missing, err := withoutUpdates(text, dirs)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf(".github/dependabot.yml must name the modules %v", missing)
	}
	return nil
}

// withoutUpdates returns the directories of modules that the configuration of Dependabot does not
// name.
func withoutUpdates(config []byte, dirs []string) (missing []string, err error) {
	var d dependabot
	if err := yaml.Unmarshal(config, &d); err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		if !d.updatesModule(dir) {
			missing = append(missing, dir)
		}
	}
	return missing, nil
}

// updatesModule reports whether the configuration names the directory of a Go module.
func (d *dependabot) updatesModule(dir string) bool {
	for _, u := range d.Updates {
		if u.Ecosystem != "gomod" {
			continue
		}
		for _, pattern := range u.Directories {
			// A pattern with an error matches nothing, so the module is reported as missing.
			matches, _ := path.Match(pattern, path.Join("/", dir))
			if matches {
				return true
			}
		}
	}
	return false
}
