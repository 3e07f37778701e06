package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// checkConsumers checks that a program can import each adapter after the release. It compiles the
// adapter as a dependency of another module. A local directory serves as the module proxy, and has
// the files that "go get" would download. In the proxy, the go.mod of an adapter is the same as
// after the release. It requires a version of the library, and has no replace directive.
func checkConsumers(r *repository) error {
	dirs, err := r.moduleDirs()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	p, err := newProxy(r, work, checkVersion())
	if err != nil {
		return err
	}
	defer p.remove()

	// A module comes after those that it requires, which must be in the proxy when it is built.
	dirs, err = p.inOrder(dirs)
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range dirs {
		if !strings.HasPrefix(dir, "adapters/") && !strings.HasPrefix(dir, "layers/") {
			continue
		}
		if err := p.publish(dir); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", dir, err))
			continue
		}
		if err := p.build(dir); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", dir, err))
			continue
		}
		fmt.Printf("%-28s builds in another module\n", dir)
	}
	return errors.Join(errs...)
}

// A proxy is a directory that Go can use as a module proxy. It has one version of the library and
// of the other modules.
type proxy struct {
	r             *repository
	work, version string
}

// checkVersion returns a version that no module cache contains, because it includes the current
// time.
func checkVersion() string { return fmt.Sprintf("v0.0.1-check.%d", time.Now().Unix()) }

// newProxy creates a proxy, and publishes the given version of the library in it. work is the
// directory for all files of the proxy.
func newProxy(r *repository, work, version string) (*proxy, error) {
	p := &proxy{r: r, work: work, version: version}
	err := r.command(".", nil, "sh", "-c", `mkdir "$0" && git archive HEAD | tar -x -C "$0"`, p.export())
	if err == nil {
		err = p.publish(".")
	}
	if err != nil {
		p.remove()
		return nil, err
	}
	return p, nil
}

func (p *proxy) export() string { return filepath.Join(p.work, "export") }

// publish adds a module to the proxy. The module is the one in the directory dir of the last
// commit.
func (p *proxy) publish(dir string) error {
	modulePath := path.Join(library, dir)
	src := filepath.Join(p.export(), dir)
	dst := filepath.Join(p.work, "proxy", modulePath, "@v")

	// Write the go.mod of the release.
	goModFile := filepath.Join(src, "go.mod")
	text, err := os.ReadFile(goModFile)
	if err != nil {
		return err
	}
	goMod, err := released(text, p.version)
	if err != nil {
		return err
	}
	if err := os.WriteFile(goModFile, goMod, 0o600); err != nil {
		return err
	}

	// The archive of each module contains the license of the repository. The Go command makes
	// archives in the same way.
	license, err := os.ReadFile(filepath.Join(p.export(), "LICENSE"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(src, "LICENSE"), license, 0o600); err != nil {
		return err
	}

	// Write the files that a module proxy serves.
	info, err := json.Marshal(map[string]any{"Version": p.version, "Time": time.Now().UTC()})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dst, 0o755); err != nil {
		return err
	}
	archive, err := os.Create(filepath.Join(dst, p.version+".zip"))
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dst, p.version+".mod"), goMod, 0o600),
		os.WriteFile(filepath.Join(dst, p.version+".info"), info, 0o600),
		os.WriteFile(filepath.Join(dst, "list"), []byte(p.version+"\n"), 0o600),
		zip.CreateFromDir(archive, module.Version{Path: modulePath, Version: p.version}, src),
		archive.Close(),
	)
}

// released returns the go.mod of a module as it must be in its tag: it requires the given version
// of the library, and replaces nothing.
func released(text []byte, version string) ([]byte, error) {
	file, err := modfile.Parse("go.mod", text, nil)
	if err != nil {
		return nil, err
	}
	for _, replaced := range file.Replace {
		if err := file.DropReplace(replaced.Old.Path, replaced.Old.Version); err != nil {
			return nil, err
		}
	}
	for _, required := range file.Require {
		if strings.HasPrefix(required.Mod.Path+"/", library+"/") {
			if err := file.AddRequire(required.Mod.Path, version); err != nil {
				return nil, err
			}
		}
	}
	file.Cleanup()
	return file.Format()
}

// build compiles the module in dir as a dependency of a program. It uses the same build flags as
// the other commands in this repository, so that the other dependencies are already in the build
// cache.
func (p *proxy) build(dir string) error {
	modulePath := path.Join(library, dir)
	program := filepath.Join(p.work, "program", dir)
	if err := os.MkdirAll(program, 0o755); err != nil {
		return err
	}
	env, err := p.env()
	if err != nil {
		return err
	}
	env = append(env, "GOFLAGS="+os.Getenv("GOFLAGS")+" -mod=mod")
	return p.run(program, env, [][]string{
		{"mod", "init", "example.com/program"},
		{"get", modulePath + "@" + p.version},
		{"build", modulePath},
	})
}

// run runs Go commands in a directory, one after another, with env added to the environment.
func (p *proxy) run(dir string, env []string, commands [][]string) error {
	for _, args := range commands {
		cmd := exec.Command(p.r.golang, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), env...)
		if data, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, data)
		}
	}
	return nil
}

// env returns environment variables that make the Go command download this library from the proxy.
func (p *proxy) env() ([]string, error) {
	others, err := exec.Command(p.r.golang, "env", "GOPROXY").Output()
	return []string{
		"GOPROXY=file://" + filepath.ToSlash(filepath.Join(p.work, "proxy")) + "," + strings.TrimSpace(string(others)),
		"GONOSUMDB=" + cmp.Or(os.Getenv("GONOSUMDB"), library) + "," + library, "GOWORK=off",
	}, err
}

// remove removes the proxy, and removes its modules from the module cache.
func (p *proxy) remove() {
	_ = os.RemoveAll(p.work)
	cache, err := exec.Command(p.r.golang, "env", "GOMODCACHE").Output()
	if err != nil {
		return
	}
	root := strings.TrimSpace(string(cache))
	p.removeModules(filepath.Join(root, filepath.FromSlash(library)))
	p.removeDownloads(filepath.Join(root, "cache", "download", filepath.FromSlash(library)))
}

// removeModules removes the unpacked modules of the proxy's version from the directory root of the
// module cache, which has the modules of the library. It ignores errors, because the check is over and
// nothing else uses this version.
func (p *proxy) removeModules(root string) {
	patterns := []string{
		root + "@" + p.version,
		filepath.Join(root, "adapters", "*@"+p.version),
		filepath.Join(root, "layers", "*@"+p.version),
	}
	for _, pattern := range patterns {
		dirs, _ := filepath.Glob(pattern)
		for _, dir := range dirs {
			// The directories in the cache are read-only, so their files cannot be removed yet.
			_ = filepath.WalkDir(dir, func(name string, entry os.DirEntry, err error) error {
				if err == nil && entry.IsDir() {
					_ = os.Chmod(name, 0o755)
				}
				return nil
			})
			_ = os.RemoveAll(dir)
		}
	}
}

// removeDownloads removes the archives from the download directory of the library in the module cache.
func (p *proxy) removeDownloads(downloads string) {
	for _, dir := range []string{
		downloads, filepath.Join(downloads, "adapters", "*"), filepath.Join(downloads, "layers", "*"),
	} {
		for _, file := range []string{p.version + ".*", "list"} {
			names, _ := filepath.Glob(filepath.Join(dir, "@v", file))
			for _, name := range names {
				_ = os.Remove(name)
			}
		}
	}
}
