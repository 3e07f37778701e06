package evidence

import (
	"path/filepath"
	"strings"
)

// A mount shows a part of a file system at a path of this machine. Two mounts may show the same part,
// as a bind mount does.
type mount struct {
	id, parent string
	device     string // name of the file system
	root       string // the part of the file system that is shown
	point      string
}

// A view is a part of a file system that a directory shows: either of its own file system, or of one that is
// mounted in it.
type view struct {
	folder       string // folder below the directory: "" or a path
	device, path string
}

// viewsOf returns the views of two directories. known is false if they are not known.
func viewsOf(a, b string) (first, second []view, known bool) {
	all, known := readMounts()
	if !known || len(all) == 0 {
		return nil, nil, known
	}
	first, known = views(a, all)
	second, both := views(b, all)
	return first, second, known && both
}

// views returns the views of a directory, by the mounts of this machine. The first one is that of the directory
// itself. It returns false if they are not known.
func views(dir string, all []mount) ([]view, bool) {
	dir = resolved(dir)
	at, ok := mountOf(dir, all)
	if !ok {
		return nil, false
	}
	rest, _ := pathFrom(at.point, dir)
	shown := []view{{"", at.device, filepath.Join(at.root, rest)}}
	for _, m := range all {
		folder, below := pathFrom(dir, m.point)
		if !below || folder == "" {
			continue
		}
		if visible, _ := mountOf(m.point, all); visible == m {
			shown = append(shown, view{folder, m.device, m.root})
		}
	}
	return shown, true
}

// mountOf returns the mount that shows a path. If two mounts on one parent could show it, the one on the outer path
// is newer, and hides the other.
func mountOf(path string, all []mount) (at mount, found bool) {
	known := map[string]bool{}
	for _, m := range all {
		known[m.id] = true
	}
	parent := ""
	for {
		next, more := mount{}, false
		for _, m := range all {
			mounted := m.parent == parent && m.id != parent || !found && (!known[m.parent] || m.parent == m.id)
			if _, in := pathFrom(m.point, path); in && mounted && (!more || len(m.point) < len(next.point)) {
				next, more = m, true
			}
		}
		if !more {
			return at, found
		}
		at, parent, found = next, next.id, true
	}
}

// mountedIn reports whether a mount makes dir appear in outer, and returns the path there.
func mountedIn(dir, outer string) (rel string, ok bool) {
	inner, shown, _ := viewsOf(dir, outer)
	if len(inner) == 0 {
		return "", false
	}
	for _, v := range shown {
		if rest, in := v.holds(inner[0]); in {
			return filepath.Join(v.folder, rest), true
		}
	}
	return "", false
}

// holds reports whether the view inner of the same file system lies in v, and returns the path
// from v to it.
func (v view) holds(inner view) (rest string, ok bool) {
	if v.device != inner.device {
		return "", false
	}
	return pathFrom(v.path, inner.path)
}

// mountsApart reports whether two directories are known to show no part of a file system in common. A file system
// that is mounted in only one of them may come from a server that shows the other.
func mountsApart(a, b string) bool {
	first, second, known := viewsOf(a, b)
	if !known {
		return false
	}
	if len(first) == 0 && len(second) == 0 {
		return true
	}
	for _, v := range first {
		for _, w := range second {
			_, in := v.holds(w)
			_, around := w.holds(v)
			if in || around || v.device != w.device {
				return false
			}
		}
	}
	return true
}

// A Meeting is a part of a file system that two directories show, below a folder A of the one and B of the other;
// each is "", or ends in a slash.
type Meeting struct{ A, B string }

// Meetings returns the parts of file systems that the mounts of this machine show both in a
// directory of a and in one of b.
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
			if rest, in := v.holds(w); in {
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

// MountedIn returns the folders of places at which another file system is mounted, or another part of one.
func MountedIn(places []Place) (folders []string) {
	all, _ := readMounts()
	for _, p := range places {
		if p.directory() == "" {
			continue
		}
		shown, _ := views(p.directory(), all)
		for _, v := range shown[min(1, len(shown)):] {
			folders = append(folders, asFolder(v.folder))
		}
	}
	return folders
}
