package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// An npmTool is a Node.js program whose version is pinned by a package.json and its lock file. The
// program esbuild, which is pinned in the same way, bundles all packages into one file. The
// packages take hundreds of megabytes, and are installed only during the build.
type npmTool struct {
	pkg      string   // name of the directory with its package.json
	entry    string   // path of the program's main file in node_modules
	external []string // packages that the bundle leaves out, because the program never loads them
	edits    []edit
	flags    []string // flags for node
}

// An edit changes a file of node_modules before the bundle is made. It replaces the text in the
// field old by the text in new.
type edit struct{ file, old, new string }

var _ tool = npmTool{}

// nodeMajor is the oldest major version of Node.js on which the servers are known to run.
const nodeMajor = 18

// installFlags make npm obey the lock file, and not run the scripts of packages.
var installFlags = []string{"--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"}

func (n npmTool) dir() string    { return n.pkg }
func (n npmTool) pins() []string { return []string{"package.json", "package-lock.json"} }

// stamp returns a hash of the versions of all packages. It does not include the machine or the
// version of Node.js, because the bundle does not depend on them.
func (n npmTool) stamp(context.Context) (string, error) {
	hash := sha256.New()
	if err := hashPins(hash, n); err != nil {
		return "", err
	}
	fmt.Fprintf(hash, "%q %q", n.bundleFlags(""), n.edits)
	return hex.EncodeToString(hash.Sum(nil))[:16], nil
}

// build installs the packages in the directory work, changes them as n.edits says, and bundles the tool
// into the file at path.
func (n npmTool) build(ctx context.Context, work, path string) error {
	if err := n.install(ctx, work, nodeMajor); err != nil {
		return err
	}
	for _, e := range n.edits {
		if err := e.apply(filepath.Join(work, "node_modules")); err != nil {
			return err
		}
	}
	esbuild := filepath.Join(work, "node_modules", ".bin", "esbuild")
	if err := interruptibleCommand(ctx, work, esbuild, n.bundleFlags(path)...).Run(); err != nil {
		return fmt.Errorf("esbuild: %w", err)
	}
	return nil
}

// apply makes the edit. It fails unless the file contains the old text exactly once.
func (e edit) apply(modules string) error {
	path := filepath.Join(modules, e.file)
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if n := strings.Count(string(content), e.old); n != 1 {
		return fmt.Errorf("%s has %q %d times, not once", e.file, e.old, n)
	}
	return os.WriteFile(path, []byte(strings.Replace(string(content), e.old, e.new, 1)), 0o600)
}

// install creates work/node_modules from the lock file. It fails if Node.js is older than the given
// major version.
func (n npmTool) install(ctx context.Context, work string, major int) error {
	if err := n.checkNode(ctx, major); err != nil {
		return err
	}
	if _, err := exec.LookPath("npm"); err != nil {
		return fmt.Errorf("npm, which comes with Node.js, is missing: %w", err)
	}
	for _, name := range n.pins() {
		content, err := os.ReadFile(filepath.Join(n.pkg, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(work, name), content, 0o600); err != nil {
			return err
		}
	}
	install := interruptibleCommand(ctx, work, "npm", append([]string{"ci"}, installFlags...)...)
	install.Stdout = os.Stderr
	install.Cancel = func() error { return install.Process.Kill() } // npm takes too long to react to an interrupt
	if err := install.Run(); err != nil {
		return fmt.Errorf("npm ci: %w", err)
	}
	return nil
}

func (n npmTool) bundleFlags(path string) []string {
	flags := []string{
		"node_modules/" + n.entry, "--outfile=" + path,
		"--bundle", "--minify", "--platform=node", "--target=node" + strconv.Itoa(nodeMajor), "--log-level=error",
	}
	for _, name := range n.external {
		flags = append(flags, "--external:"+name)
	}
	return flags
}

func (n npmTool) command(ctx context.Context, path string) ([]string, error) {
	return append(append([]string{"node"}, n.flags...), path), n.checkNode(ctx, nodeMajor)
}

// checkNode fails if Node.js is missing or older than the given major version.
func (n npmTool) checkNode(ctx context.Context, oldest int) error {
	said, err := exec.CommandContext(ctx, "node", "--version").Output() // output such as v20.20.2
	if err != nil {
		return fmt.Errorf("%s needs Node.js %d or later, but node does not run: %w", n.pkg, oldest, err)
	}
	version := strings.TrimSpace(string(said))
	major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	if number, err := strconv.Atoi(major); err != nil || number < oldest {
		return fmt.Errorf("%s needs Node.js %d or later, but node is %q", n.pkg, oldest, version)
	}
	return nil
}
