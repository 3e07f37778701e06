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
	isNamed := func(dir string) bool {
		for _, u := range d.Updates {
			for _, pattern := range u.Directories {
				if ok, _ := path.Match(pattern, path.Join("/", dir)); ok && u.Ecosystem == "gomod" {
					return true
				}
			}
		}
		return false
	}
	for _, dir := range dirs {
		if !isNamed(dir) {
			missing = append(missing, dir)
		}
	}
	return missing, nil
}
