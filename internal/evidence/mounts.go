package evidence

import (
	"path/filepath"
	"strings"
)

// A mount shows a file system, or a directory of it, at a path of this machine. Two mounts may show
// the same directory, for example a bind mount and its original.
type mount struct {
	id, parent string
	device     string // number of the device of the file system
	root       string // directory of the file system that the mount shows
	point      string
}

// A subtree is a directory of a file system that is visible in a local directory. If folder is "", the
// subtree is the local directory itself. Otherwise folder is the path of a mount point inside the
// local directory, and the subtree is the directory that the mount shows.
type subtree struct {
	folder       string // folder of the local directory where the subtree appears, or ""
	device, path string
}

// subtreesOf returns the subtrees of two directories. known is false if the mounts of this machine cannot
// be read, or if no mount shows one of the directories.
func subtreesOf(a, b string) (aTrees, bTrees []subtree, known bool) {
	mounts, canRead := readMounts()
	if !canRead {
		return nil, nil, false
	}
	if len(mounts) == 0 {
		// On this system, mounts need not be known (see readMounts).
		return nil, nil, true
	}
	aTrees, isAShown := subtreesIn(a, mounts)
	bTrees, isBShown := subtreesIn(b, mounts)
	return aTrees, bTrees, isAShown && isBShown
}

// subtreesIn returns the directories of file systems that are visible in dir: first the one that dir itself
// shows, and then one for each mount point below dir. It returns false if no mount shows dir.
func subtreesIn(dir string, mounts []mount) ([]subtree, bool) {
	dir = resolve(dir)
	outer, found := mountOf(dir, mounts)
	if !found {
		return nil, false
	}

	// The directory is at or below the mount point, so its path always has one from there.
	rel, _ := pathFrom(outer.point, dir)
	result := []subtree{{device: outer.device, path: filepath.Join(outer.root, rel)}}
	for _, m := range mounts {
		folder, contains := pathFrom(dir, m.point)
		isBelow := contains && folder != ""
		if !isBelow {
			continue
		}
		visible, _ := mountOf(m.point, mounts)
		if visible != m {
			// Another mount hides this one.
			continue
		}
		result = append(result, subtree{folder: folder, device: m.device, path: m.root})
	}
	return result, true
}

// mountOf returns the mount that shows path. It begins with the roots, and goes from each mount to the one in
// it that hides the path.
//
// If several mounts with the same parent contain path, the one with the shortest mount point is the
// newest and hides the others.
func mountOf(path string, mounts []mount) (top mount, found bool) {
	candidates := rootMounts(mounts)
	for {
		next, contains := outermost(path, candidates)
		if !contains {
			return top, found
		}
		top = next
		found = true
		candidates = childMounts(next, mounts)
	}
}

// rootMounts returns the mounts whose parent is not in the list, or is the mount itself.
func rootMounts(mounts []mount) (roots []mount) {
	ids := map[string]bool{}
	for _, m := range mounts {
		ids[m.id] = true
	}

	for _, m := range mounts {
		if !ids[m.parent] || m.parent == m.id {
			roots = append(roots, m)
		}
	}
	return roots
}

// childMounts returns the mounts whose parent is the given mount.
func childMounts(parent mount, mounts []mount) (children []mount) {
	for _, m := range mounts {
		if m.parent == parent.id && m.id != parent.id {
			children = append(children, m)
		}
	}
	return children
}

// outermost returns the mount that contains path with the shortest mount point.
func outermost(path string, candidates []mount) (shortest mount, found bool) {
	for _, m := range candidates {
		if _, contains := pathFrom(m.point, path); !contains {
			continue
		}
		if !found || len(m.point) < len(shortest.point) {
			shortest = m
			found = true
		}
	}
	return shortest, found
}

// mountedIn reports whether a mount makes dir appear in outer. rel is the path at which dir
// appears, relative to outer.
func mountedIn(dir, outer string) (rel string, ok bool) {
	innerTrees, outerTrees, _ := subtreesOf(dir, outer)
	if len(innerTrees) == 0 {
		return "", false
	}

	// The first subtree is dir itself.
	for _, tree := range outerTrees {
		if rest, contains := tree.contains(innerTrees[0]); contains {
			return filepath.Join(tree.folder, rest), true
		}
	}
	return "", false
}

// contains reports whether the directory inner.path is s.path or lies in it, on the same file system.
// rest is the path from s.path to inner.path.
func (s subtree) contains(inner subtree) (rest string, ok bool) {
	if s.device != inner.device {
		return "", false
	}
	return pathFrom(s.path, inner.path)
}

// areMountsApart reports whether two directories certainly have no file in common. On different file
// systems this is never certain, because a network file system may show the files of a local one.
func areMountsApart(a, b string) bool {
	aTrees, bTrees, known := subtreesOf(a, b)
	if !known {
		return false
	}
	hasTrees := len(aTrees) > 0 || len(bTrees) > 0
	if !hasTrees {
		// On this system, mounts need not be known (see readMounts).
		return true
	}

	for _, aTree := range aTrees {
		for _, bTree := range bTrees {
			if aTree.mayShare(bTree) {
				return false
			}
		}
	}
	return true
}

// mayShare reports whether the two directories may have a file in common: if they are on different file
// systems, or if one of them contains the other.
func (s subtree) mayShare(other subtree) bool {
	if s.device != other.device {
		return true
	}
	_, contains := s.contains(other)
	_, isContained := other.contains(s)
	return contains || isContained
}

// A SharedFolder is a directory that can be seen in two local directories, because of mounts. A is its
// path in the first local directory. B is its path in the second local directory. Each path is ""
// or ends in a slash.
type SharedFolder struct{ A, B string }

// SharedFolders returns the folders of a and b that show the same files, by the mounts of this machine.
func SharedFolders(a, b []Place) (all []SharedFolder) {
	for _, first := range a {
		for _, second := range b {
			if first.directory() != "" && second.directory() != "" {
				all = append(all, sharedFolders(first.directory(), second.directory())...)
			}
		}
	}
	return all
}

// sharedFolders returns the folders of two local directories that show the same files.
func sharedFolders(a, b string) (all []SharedFolder) {
	aTrees, bTrees, _ := subtreesOf(a, b)

	// Two subtrees show the same files if one of them contains the other.
	for _, aTree := range aTrees {
		for _, bTree := range bTrees {
			if rest, contains := aTree.contains(bTree); contains {
				all = append(all, SharedFolder{
					A: asFolder(filepath.Join(aTree.folder, rest)),
					B: asFolder(bTree.folder),
				})
				continue
			}
			if rest, contains := bTree.contains(aTree); contains {
				all = append(all, SharedFolder{
					A: asFolder(aTree.folder),
					B: asFolder(filepath.Join(bTree.folder, rest)),
				})
			}
		}
	}
	return all
}

// asFolder returns a relative path with slashes and one at its end, or "" for "".
func asFolder(path string) string {
	if path == "" {
		return ""
	}
	return strings.TrimSuffix(filepath.ToSlash(path), "/") + "/"
}

// MountedIn returns the mount points below the local directories among places. Each is a path that
// is relative to its directory and ends in a slash.
func MountedIn(places []Place) (folders []string) {
	mounts, canRead := readMounts()
	if !canRead {
		return nil
	}

	for _, place := range places {
		dir := place.directory()
		if dir == "" {
			continue
		}
		trees, found := subtreesIn(dir, mounts)
		if !found {
			continue
		}

		// The first subtree is the directory itself, and each other one is at a mount point.
		for _, tree := range trees[1:] {
			folders = append(folders, asFolder(tree.folder))
		}
	}
	return folders
}
