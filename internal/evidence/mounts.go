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
// be read.
func viewsOf(a, b string) (first, second []view, known bool) {
	all, known := readMounts()
	if !known || len(all) == 0 {
		return nil, nil, known
	}
	first, known = views(a, all)
	second, secondKnown := views(b, all)
	return first, second, known && secondKnown
}

// views returns the views of dir, according to the given mounts. The first view is that of dir
// itself; the others are mounted in dir. It returns false if no mount shows dir.
func views(dir string, all []mount) ([]view, bool) {
	dir = resolve(dir)
	m, ok := mountOf(dir, all)
	if !ok {
		return nil, false
	}
	relative, _ := pathFrom(m.point, dir)
	result := []view{{"", m.device, filepath.Join(m.root, relative)}}
	for _, m := range all {
		folder, isBelow := pathFrom(dir, m.point)
		if !isBelow || folder == "" {
			continue
		}
		if visible, _ := mountOf(m.point, all); visible == m {
			result = append(result, view{folder, m.device, m.root})
		}
	}
	return result, true
}

// mountOf returns the mount that shows path. If several mounts with the same parent contain path,
// the mount with the shortest mount point hides the others. It was made after the others. If it
// were older, it would be their parent.
func mountOf(path string, all []mount) (top mount, found bool) {
	ids := map[string]bool{}
	for _, m := range all {
		ids[m.id] = true
	}
	parent := ""
	for {
		next := mount{}
		hasMore := false
		for _, m := range all {
			candidate := m.parent == parent && m.id != parent || !found && (!ids[m.parent] || m.parent == m.id)
			if _, contains := pathFrom(m.point, path); contains && candidate && (!hasMore || len(m.point) < len(next.point)) {
				next = m
				hasMore = true
			}
		}
		if !hasMore {
			return top, found
		}
		top = next
		parent = next.id
		found = true
	}
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

// mountsApart reports whether two directories certainly have no file in common. If the directories
// are on different file systems, the answer is not certain, and mountsApart returns false. For
// example, a network file system may show the files of a local file system.
func mountsApart(a, b string) bool {
	first, second, ok := viewsOf(a, b)
	if !ok {
		return false
	}
	if len(first) == 0 && len(second) == 0 {
		return true
	}
	for _, v := range first {
		for _, w := range second {
			_, contains := v.holds(w)
			_, isContained := w.holds(v)
			if contains || isContained || v.device != w.device {
				return false
			}
		}
	}
	return true
}

// A Meeting is a directory that can be seen in two local directories, because of mounts. A is its
// path in the first local directory. B is its path in the second local directory. Each path is ""
// or ends in a slash.
type Meeting struct{ A, B string }

// Meetings returns the folders of a and b that show the same files, according to the mounts of this
// machine.
func Meetings(a, b []Place) (all []Meeting) {
	for _, p := range a {
		for _, q := range b {
			if p.directory() != "" && q.directory() != "" {
				all = append(all, meetings(p.directory(), q.directory())...)
			}
		}
	}
	return all
}

func meetings(a, b string) (all []Meeting) {
	first, second, _ := viewsOf(a, b)
	for _, v := range first {
		for _, w := range second {
			if rest, inside := v.holds(w); inside {
				all = append(all, Meeting{asFolder(filepath.Join(v.folder, rest)), asFolder(w.folder)})
			} else if rest, in := w.holds(v); in {
				all = append(all, Meeting{asFolder(v.folder), asFolder(filepath.Join(w.folder, rest))})
			}
		}
	}
	return all
}

func asFolder(path string) string {
	if path == "" {
		return ""
	}
	return strings.TrimSuffix(filepath.ToSlash(path), "/") + "/"
}

// MountedIn returns the mount points below the local directories among the given places. Each mount
// point is a path that is relative to its local directory and ends in a slash.
func MountedIn(places []Place) (folders []string) {
	all, _ := readMounts()
	for _, p := range places {
		if p.directory() == "" {
			continue
		}
		dirViews, _ := views(p.directory(), all)
		for _, v := range dirViews[min(1, len(dirViews)):] {
			folders = append(folders, asFolder(v.folder))
		}
	}
	return folders
}
