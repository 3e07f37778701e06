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

// A view is a directory of a file system that is visible in a local directory. If folder is "", the
// view is the local directory itself. Otherwise folder is the path of a mount point inside the
// local directory, and the view is the directory that the mount shows.
type view struct {
	folder       string // folder of the local directory where the view appears, or ""
	device, path string
}

// viewsOf returns the views of two directories. known is false if the mounts of this machine cannot
// be read, or if no mount shows one of the directories.
func viewsOf(a, b string) (aViews, bViews []view, known bool) {
	mounts, canRead := readMounts()
	if !canRead {
		return nil, nil, false
	}
	if len(mounts) == 0 {
		// On this system, mounts need not be known (see readMounts).
		return nil, nil, true
	}
	aViews, isAShown := views(a, mounts)
	bViews, isBShown := views(b, mounts)
	return aViews, bViews, isAShown && isBShown
}

// views returns the directories of file systems that are visible in dir: first the one that dir itself
// shows, and then one for each mount point below dir. It returns false if no mount shows dir.
func views(dir string, mounts []mount) ([]view, bool) {
	dir = resolve(dir)
	outer, found := mountOf(dir, mounts)
	if !found {
		return nil, false
	}

	// The directory is at or below the mount point, so its path always has one from there.
	rel, _ := pathFrom(outer.point, dir)
	result := []view{{device: outer.device, path: filepath.Join(outer.root, rel)}}
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
		result = append(result, view{folder: folder, device: m.device, path: m.root})
	}
	return result, true
}

// mountOf returns the mount that shows path.
//
// If several mounts with the same parent contain path, the one with the shortest mount point is the
// newest and hides the others.
func mountOf(path string, mounts []mount) (top mount, found bool) {
	// Begin with the roots, and go from each mount to the one in it that hides the path.
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
	innerViews, outerViews, _ := viewsOf(dir, outer)
	if len(innerViews) == 0 {
		return "", false
	}
	for _, v := range outerViews {
		if rest, contains := v.holds(innerViews[0]); contains {
			return filepath.Join(v.folder, rest), true
		}
	}
	return "", false
}

// holds reports whether the directory inner.path is v.path or lies in it, on the same file system.
// rest is the path from v.path to inner.path.
func (v view) holds(inner view) (rest string, ok bool) {
	if v.device != inner.device {
		return "", false
	}
	return pathFrom(v.path, inner.path)
}

// areMountsApart reports whether two directories certainly have no file in common. On different file
// systems this is never certain, because a network file system may show the files of a local one.
func areMountsApart(a, b string) bool {
	aViews, bViews, known := viewsOf(a, b)
	if !known {
		return false
	}
	hasViews := len(aViews) > 0 || len(bViews) > 0
	if !hasViews {
		// On this system, mounts need not be known (see readMounts).
		return true
	}

	for _, aView := range aViews {
		for _, bView := range bViews {
			if aView.mayShare(bView) {
				return false
			}
		}
	}
	return true
}

// mayShare reports whether the two directories may have a file in common: if they are on different file
// systems, or if one of them contains the other.
func (v view) mayShare(other view) bool {
	if v.device != other.device {
		return true
	}
	_, contains := v.holds(other)
	_, isContained := other.holds(v)
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
	aViews, bViews, _ := viewsOf(a, b)

	// Two views show the same files if one of them contains the other.
	for _, aView := range aViews {
		for _, bView := range bViews {
			if rest, contains := aView.holds(bView); contains {
				all = append(all, SharedFolder{
					A: asFolder(filepath.Join(aView.folder, rest)),
					B: asFolder(bView.folder),
				})
				continue
			}
			if rest, contains := bView.holds(aView); contains {
				all = append(all, SharedFolder{
					A: asFolder(aView.folder),
					B: asFolder(filepath.Join(bView.folder, rest)),
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
		dirViews, found := views(dir, mounts)
		if !found {
			continue
		}

		// The first view is the directory itself, and each other one is at a mount point.
		for _, v := range dirViews[1:] {
			folders = append(folders, asFolder(v.folder))
		}
	}
	return folders
}
