package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// tagAll creates the tags of all published modules.
func tagAll(r *repository) error {
	dirs, err := r.moduleDirs()
	if err != nil {
		return err
	}
	return tag(r, slices.DeleteFunc(dirs, func(dir string) bool { return dir == "." || !isPublished(dir) }))
}

// tag creates the tags of a release in the local repository, and pushes nothing.
//
// The tag of the library is at the last commit. The tags of the other modules, which are in dirs,
// are at one further commit that is not on a branch. In that commit, each go.mod requires the
// version of the release and replaces nothing, and each go.sum has the sums that a module proxy
// will return.
func tag(r *repository, dirs []string) error {
	if err := r.readyForTags(dirs); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	p, err := newProxy(r, work, r.version)
	if err != nil {
		return err
	}
	defer p.remove()

	// Commit the go.mod and the go.sum of each module. The commit has an index of its own, so that the
	// working tree and its index do not change.
	index := []string{"GIT_INDEX_FILE=" + filepath.Join(work, "index")}
	if _, err := r.git(index, "read-tree", "HEAD"); err != nil {
		return err
	}
	dirs, err = p.inOrder(dirs)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := p.tidy(dir); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		for _, name := range []string{"go.mod", "go.sum"} {
			if err := p.addToIndex(index, path.Join(dir, name)); err != nil {
				return err
			}
		}
	}
	tree, err := r.git(index, "write-tree")
	if err != nil {
		return err
	}
	commit, err := r.git(nil, "commit-tree", "-p", "HEAD", "-m", "modules: require "+r.version, tree)
	if err != nil {
		return err
	}

	// Make the tags. An error does not stop the others.
	_, err = r.git(nil, "tag", r.version, "HEAD")
	errs := []error{err}
	var moduleTags []string
	for _, dir := range dirs {
		name := path.Join(dir, r.version)
		_, err := r.git(nil, "tag", name, commit)
		errs = append(errs, err)
		moduleTags = append(moduleTags, name)
	}
	// If one push contains more than three tags, GitHub starts no workflow. So the tag of the
	// library is pushed separately.
	fmt.Printf("git push origin %s\ngit push origin %s\n", r.version, strings.Join(moduleTags, " "))
	return errors.Join(errs...)
}

// addToIndex adds a file of the exported commit to the index of git. index is the variable with the
// path of that index.
func (p *proxy) addToIndex(index []string, file string) error {
	blob, err := p.r.git(nil, "hash-object", "-w", "--no-filters", filepath.Join(p.export(), file))
	if err != nil {
		return err
	}
	_, err = p.r.git(index, "update-index", "--add", "--cacheinfo", "100644,"+blob+","+file)
	return err
}

// readyForTags fails if the changelog does not describe the release, if there are uncommitted
// changes, or if one of the tags exists.
func (r *repository) readyForTags(dirs []string) error {
	if r.version == "" {
		return errors.New("-version must name the release")
	}
	if err := checkChangelog(r); err != nil {
		return err
	}
	status, err := r.git(nil, "status", "--porcelain")
	if err != nil {
		return err
	}
	if status != "" {
		return fmt.Errorf("commit or remove first:\n%s", status)
	}
	for _, dir := range append([]string{"."}, dirs...) {
		name := path.Join(dir, r.version)
		existing, err := r.git(nil, "tag", "--list", name)
		if err != nil {
			return err
		}
		if existing != "" {
			return fmt.Errorf("the tag %s exists", name)
		}
	}
	return nil
}

// inOrder sorts the directories so that each module comes after the modules that it requires.
func (p *proxy) inOrder(dirs []string) ([]string, error) {
	required := map[string]int{}
	for _, dir := range dirs {
		text, err := os.ReadFile(filepath.Join(p.export(), dir, "go.mod"))
		if err != nil {
			return nil, err
		}
		// A go.mod names each module of this repository that its module requires. A module that
		// others require names fewer of them, so the sort puts it before the others.
		required[dir] = strings.Count(string(text), library+"/")
	}
	return slices.SortedStableFunc(slices.Values(dirs), func(a, b string) int { return required[a] - required[b] }), nil
}

// tidy writes the go.mod and the go.sum that a module must have in its tag, and publishes the
// module in the proxy.
func (p *proxy) tidy(dir string) error {
	name := filepath.Join(p.export(), dir, "go.mod")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	goMod, err := released(text, p.version)
	if err != nil {
		return err
	}
	if err := os.WriteFile(name, goMod, 0o600); err != nil {
		return err
	}
	env, err := p.env()
	if err != nil {
		return err
	}
	if err := p.run(filepath.Dir(name), append(env, "GOFLAGS="), [][]string{{"mod", "tidy"}}); err != nil {
		return err
	}
	return p.publish(dir)
}

// git runs git in the repository, and returns its output.
func (r *repository) git(env []string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = r.root
	cmd.Env = append(os.Environ(), env...)
	data, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(data)), nil
}
