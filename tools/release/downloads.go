package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A download is what "go mod tidy" of a program may download, with an empty module cache. It
// counts the modules of others: what the program builds, and what the tests of the packages import
// that it builds. So a test of such a package should not import an SDK.
type download struct {
	pkg     string // in the library
	modules int    // at most
	size    int64  // of their archives in bytes, at most
	foreign []string
}

var downloads = []download{
	{pkg: "memstore", modules: 20, size: 15e6, foreign: []string{"aws", "azure", "cloud.google.com"}},
	{pkg: "providers/local", modules: 20, size: 15e6, foreign: []string{"aws", "azure", "cloud.google.com"}},
	{pkg: "providers/s3", modules: 45, size: 25e6, foreign: []string{"azure", "cloud.google.com"}},
}

// checkDownloads checks what programs with one driver download, and that their go.sum has no line
// of another cloud.
func checkDownloads(r *repository) error {
	work, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	p, err := newProxy(r, work, checkVersion())
	if err != nil {
		return err
	}
	defer p.remove()
	var errs []error
	for _, d := range downloads {
		if err := p.download(d); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", d.pkg, err))
		}
	}
	return errors.Join(errs...)
}

// download runs "go mod tidy" for a program that imports d.pkg, and compares what it downloads with
// d. Archives that this machine's module cache has are downloaded from there.
func (p *proxy) download(d download) error {
	program := filepath.Join(p.work, "download", d.pkg)
	cache := filepath.Join(program, "cache")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	text := fmt.Sprintf("package main\n\nimport _ %q\n\nfunc main() {}\n", library+"/"+d.pkg)
	if err := os.WriteFile(filepath.Join(program, "main.go"), []byte(text), 0o600); err != nil {
		return err
	}

	env, err := p.downloadEnv(cache)
	if err != nil {
		return err
	}
	err = p.run(program, env, [][]string{
		{"mod", "init", "example.com/program"},
		{"mod", "edit", "-require", library + "@" + p.version},
		{"mod", "tidy"},
	})
	if err != nil {
		return err
	}

	// Compare the downloads with what is allowed.
	modules, size, err := archives(cache)
	if err != nil {
		return err
	}
	fmt.Printf("%-28s downloads %d modules, %.1f MB\n", d.pkg, modules, float64(size)/1e6)
	if modules > d.modules || size > d.size {
		const format = "go mod tidy downloads %d modules and %.1f MB, at most %d and %.1f are allowed: " +
			"look at what the tests of imported packages import"
		return fmt.Errorf(format, modules, float64(size)/1e6, d.modules, float64(d.size)/1e6)
	}

	sums, err := os.ReadFile(filepath.Join(program, "go.sum"))
	if err != nil {
		return err
	}
	for _, name := range d.foreign {
		if strings.Contains(strings.ToLower(string(sums)), name) {
			return fmt.Errorf("go.sum has a line of %s", name)
		}
	}
	return nil
}

// downloadEnv returns the variables of a Go command that downloads all modules to cache. The modules
// of this library come from the proxy, and the others from the usual module cache if it has them.
func (p *proxy) downloadEnv(cache string) ([]string, error) {
	env, err := p.env()
	if err != nil {
		return nil, err
	}
	output, err := exec.Command(p.r.golang, "env", "GOMODCACHE").Output()
	if err != nil {
		return nil, err
	}
	downloaded := filepath.Join(strings.TrimSpace(string(output)), "cache", "download")

	// The usual module cache becomes the second proxy. The last of several equal variables counts.
	first, others, _ := strings.Cut(strings.TrimPrefix(env[0], "GOPROXY="), ",")
	return append(
		env,
		"GOPROXY="+first+",file://"+filepath.ToSlash(downloaded)+","+others,
		"GOMODCACHE="+cache,
		"GOFLAGS=-mod=mod -modcacherw",
	), nil
}

// archives returns the number and the size of the archives in a module cache that are not ours.
func archives(cache string) (modules int, size int64, err error) {
	err = filepath.WalkDir(filepath.Join(cache, "cache", "download"), func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if filepath.Ext(name) != ".zip" || strings.Contains(filepath.ToSlash(name), library) {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		modules++
		size += info.Size()
		return nil
	})
	return modules, size, err
}
