package evidence

import (
	"os"
	"path/filepath"
	"strings"
)

// relative returns the path from the directory outer to dir, or "" for the same directory. It returns false if
// dir does not lie in outer, neither by its path nor by a mount.
//
// If compareFiles is true, it also asks the system whether different paths lead to the same directory, as in
// a file system that ignores case.
func relative(dir, outer string, compareFiles bool) (rel string, ok bool) {
	dir = resolve(dir)
	outer = resolve(outer)
	if rel, ok := pathFrom(outer, dir); ok {
		return rel, true
	}
	if compareFiles {
		if rel, ok := ancestorIs(dir, outer); ok {
			return rel, true
		}
	}
	return mountedIn(dir, outer)
}

// ancestorIs reports whether dir, or a directory above it, is the same file as outer. rel is the
// path from that directory to dir.
func ancestorIs(dir, outer string) (rel string, ok bool) {
	want, err := os.Stat(outer)
	if err != nil {
		return "", false
	}
	for parent := dir; ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err == nil && os.SameFile(info, want) {
			return pathFrom(parent, dir)
		}
		isRoot := parent == filepath.Dir(parent)
		if isRoot {
			return "", false
		}
	}
}

// pathFrom returns the path from the directory outer to the directory dir, or "" if they are the same.
// ok is false if dir is neither outer itself nor below it.
func pathFrom(outer, dir string) (rel string, ok bool) {
	rel, err := filepath.Rel(outer, dir)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return "", false
	}
	if rel == "." {
		return "", true
	}
	return rel, true
}

// resolve returns path as an absolute path without symbolic links, of which the end may not exist
// yet. A link is resolved before a ".." that follows it, as the operating system does.
func resolve(path string) string {
	if !filepath.IsAbs(path) {
		// filepath.Abs would remove a ".." before the link in front of it is resolved.
		if wd, err := os.Getwd(); err == nil {
			path = wd + string(filepath.Separator) + path
		}
	}
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		return resolved
	}

	// The path does not exist, or its end is not accessible. Resolve the directory above its last name. Do
	// not use filepath.Dir, which would remove a ".." first.
	dir, name := splitPath(path)
	isRoot := len(dir) <= len(filepath.VolumeName(path))
	if name == "" || isRoot {
		return filepath.Clean(path)
	}
	return filepath.Join(resolve(dir), name)
}

// splitPath splits a path before its last name, and leaves out the separators after that. If path
// has no name, name is "".
func splitPath(path string) (dir, name string) {
	end := len(path)
	for end > 0 && os.IsPathSeparator(path[end-1]) {
		end--
	}
	start := end
	for start > 0 && !os.IsPathSeparator(path[start-1]) {
		start--
	}
	return path[:start], path[start:end]
}

// nearestExisting returns path, or the nearest directory above path that exists.
func nearestExisting(path string) string {
	dir := resolve(path)
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}
