package driverstore

import (
	"cmp"
	"context"
	"strings"
	"unicode/utf8"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/s3server/internal/keyname"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// A nameWalk goes through the driver's names below one folder in S3's order. The driver lists an
// escaped segment at the place of its mark, which is not its place in S3's order. So the walk
// lists the escaped segments of a folder on their own when it comes to the folder, and merges
// them into the names that are not escaped. It enters an escaped folder with a nameWalk of its
// own.
type nameWalk struct {
	listing   state.Listing
	names     keyname.Naming
	after     string // keys up to this one are skipped
	name, key string // the folder's name in the driver and key in S3: "", or they end in a slash
	inner     bool   // whether the folder is escaped, and this walk is part of another one
	// each lists the driver's names. seeks reports whether it begins after r.StartAfter.
	each  func(ctx context.Context, r *driver.ListRequest, f func(*listedEntry) (bool, error)) error
	seeks bool
	// show gets the entries until it returns false. versions, if it is not nil, lists the versions of
	// a key.
	show     func(e *listedEntry) (bool, error)
	versions func(ctx context.Context, key string, f func(*listedEntry) (bool, error)) error

	escaped []*escapedNames
	listed  map[string]bool // folders whose escaped segments were listed
}

// walk returns the walk of a listing. It rolls up names only at slashes, as all drivers do.
func (n *driverNames) walk(l state.Listing, after string, show func(e *listedEntry) (bool, error)) *nameWalk {
	if l.Delimiter != "" && l.Delimiter != "/" {
		l.Delimiter, l.Max = "", pageLimit // a page may need so many entries for a few common prefixes
	}
	w := &nameWalk{listing: l, names: n.bucket.naming(), after: after, seeks: true, show: show}
	w.each = func(ctx context.Context, r *driver.ListRequest, f func(*listedEntry) (bool, error)) error {
		var failed error
		err := n.eachName(ctx, r, func(e *storage.ListEntry) (more bool) {
			more, failed = f(&listedEntry{VersionEntry: &storage.VersionEntry{ListEntry: *e}})
			return more && failed == nil
		})
		return cmp.Or(err, failed)
	}
	if i := strings.LastIndexByte(l.Prefix, '/'); i >= 0 {
		w.name, w.key = w.names.Escape(l.Prefix[:i])+"/", l.Prefix[:i+1]
	}
	return w
}

// walkVersions returns the walk of a listing of versions. It rolls up names only on this machine.
func (n *driverNames) walkVersions(l state.Listing, after string, show func(e *listedEntry) (bool, error)) *nameWalk {
	local := n.bucket.description().Local
	if !local {
		l.Delimiter = ""
	}
	w := n.walk(l, after, show)
	w.each, w.versions = n.eachVersion, n.versionsOf
	w.seeks = local // other drivers need not know StartAfter here
	return w
}

// run makes the walk. It returns false if show did.
func (w *nameWalk) run(ctx context.Context) (more bool, err error) {
	w.listed = map[string]bool{}
	if w.after >= w.key && !w.contains(w.after) {
		return true, nil // all keys are before the start
	}
	if err := w.enter(ctx); err != nil {
		return false, err
	}
	if r := w.request(); r != nil {
		if more, err := w.stream(ctx, r); err != nil || !more {
			return false, err
		}
	}
	return w.flush(ctx, "")
}

func (w *nameWalk) contains(key string) bool { return strings.HasPrefix(key, w.key) }

// last returns the part of the listing's prefix that follows the folder.
func (w *nameWalk) last() string {
	if len(w.listing.Prefix) < len(w.key) {
		return ""
	}
	return w.listing.Prefix[len(w.key):]
}

// request returns the request for the names that are not escaped, or nil if there are none.
func (w *nameWalk) request() *driver.ListRequest {
	last := w.last()
	if w.names.EscapesAll(last) {
		return nil
	}
	r := &driver.ListRequest{Prefix: w.name + last, Delimiter: w.listing.Delimiter, Limit: w.listing.Max + 1}
	if w.inner {
		r.Limit = min(r.Limit, pageLimit/10) // many such walks may be in progress at a time
	}
	if w.seeks && w.contains(w.after) {
		if start := w.name + sendable(w.after[len(w.key):]); start > r.Prefix {
			r.StartAfter = start
		}
	}
	return r
}

// sendable returns the beginning of a key up to the first byte, or segment of dots, that a driver's name cannot have.
func sendable(key string) string {
	for i, c := range key {
		segment, _, _ := strings.Cut(key[i:], "/")
		if c < 0x20 || c == utf8.RuneError || (i == 0 || key[i-1] == '/') && (segment == "." || segment == "..") {
			return key[:i]
		}
	}
	return key
}

// enter lists the escaped segments that the stream of the other names may not come to: those of the
// folders in which the walk begins.
func (w *nameWalk) enter(ctx context.Context) error {
	begins := w.contains(w.after) && w.after != ""
	if w.last() != "" || begins {
		if err := w.list(ctx, w.name); err != nil {
			return err
		}
	}
	if w.listing.Delimiter != "" || !begins {
		return nil
	}
	rest := w.after[len(w.key):]
	for end := strings.IndexByte(rest, '/'); end >= 0; {
		if !w.names.IsNatural(rest[:end], w.key == "") {
			return nil
		}
		if err := w.list(ctx, w.name+rest[:end+1]); err != nil {
			return err
		}
		next := strings.IndexByte(rest[end+1:], '/')
		if next < 0 {
			return nil
		}
		end += 1 + next
	}
	return nil
}

// stream shows the names that are not escaped, and the escaped ones between them.
func (w *nameWalk) stream(ctx context.Context, r *driver.ListRequest) (more bool, err error) {
	for {
		seek := ""
		more = true
		err := w.each(ctx, r, func(e *listedEntry) (bool, error) {
			folder, escaped := w.escapedFolder(e.Key)
			if err := w.listBefore(ctx, e.Key, folder, escaped); err != nil {
				return false, err
			}
			if escaped {
				if to := folder + keyname.Mark + lastName; w.seeks && e.Key < to && len(to) <= maxName {
					seek = to
				}
				return seek == "", nil
			}
			key := w.key + e.Key[len(w.name):]
			if key <= w.after || !strings.HasPrefix(key, w.listing.Prefix) {
				return true, nil
			}
			if more, err = w.flush(ctx, key); err == nil && more {
				more, err = w.show(e)
			}
			return more, err
		})
		if err != nil || seek == "" {
			return more, err
		}
		r = &driver.ListRequest{Prefix: r.Prefix, Delimiter: r.Delimiter, Limit: r.Limit, StartAfter: seek}
	}
}

// escapedFolder returns the folder of a name's first escaped segment, or, if none is escaped,
// the folder of the name.
func (w *nameWalk) escapedFolder(name string) (folder string, escaped bool) {
	end := len(w.name)
	for {
		rest := name[end:]
		if strings.HasPrefix(rest, keyname.Mark) {
			return name[:end], true
		}
		i := strings.IndexByte(rest, '/')
		if i < 0 || i == len(rest)-1 {
			return name[:end], false
		}
		end += i + 1
	}
}
