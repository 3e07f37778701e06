package evidence

import (
	"path/filepath"
	"strings"

	"github.com/omnibucket/storage/internal/equal"
)

// A Place is where objects are. Two places are the same if both their accounts and their buckets are
// equal, or if their directories are the same.
type Place struct {
	// Account is comparable, and equal if one credential reaches both places; nil means unknown.
	Account any
	Bucket  string
	Prefix  string // "", or text that ends in a slash
	// Directory is the local directory that holds the bucket, or the end of a job; "" if there is none.
	Directory string
	// Direct means that no server stands between the driver and the objects. Two such places in different accounts
	// are known to be apart, unless they are directories of two file systems.
	Direct bool
	// Alias means that the bucket may have a second name, as an access point is one.
	Alias bool
}

// In returns the places of a folder of a bucket that has these places.
func In(places []Place, prefix string) []Place {
	if prefix == "" {
		return places
	}
	in := make([]Place, len(places))
	for i, p := range places {
		p.Prefix += prefix
		in[i] = p
	}
	return in
}

// Below reports whether a place of inner is known to lie in one of outer, and returns the prefix there: "", or
// text that ends in a slash.
func Below(inner, outer []Place) (prefix string, ok bool) {
	for _, i := range inner {
		for _, o := range outer {
			if prefix, ok := i.below(o); ok {
				return prefix, true
			}
		}
	}
	return "", false
}

// Same reports whether each place of a is one of b, and the reverse.
func Same(a, b []Place) bool {
	return len(a) > 0 && len(b) > 0 && eachIn(a, b) && eachIn(b, a)
}

func eachIn(a, b []Place) bool {
	for _, p := range a {
		if prefix, ok := Below([]Place{p}, b); !ok || prefix != "" {
			return false
		}
	}
	return true
}

// Apart reports whether no object of a is known to be one of b, whatever address it has. It returns false for
// unknown places.
func Apart(a, b []Place) bool {
	for _, p := range a {
		for _, q := range b {
			if !p.apart(q) {
				return false
			}
		}
	}
	return len(a) > 0 && len(b) > 0
}

// Beside reports whether a and b are known to be folders of one bucket, neither in the other.
func Beside(a, b []Place) bool {
	return len(a) == 1 && len(b) == 1 && a[0].sameBucket(b[0]) && a[0].apart(b[0])
}

func (p Place) sameBucket(q Place) bool {
	return equal.Values(p.Account, q.Account) && p.Bucket == q.Bucket
}

// directory returns the directory of this machine that holds the place; "" if there is none.
func (p Place) directory() string {
	if p.Directory == "" || p.Prefix == "" {
		return p.Directory
	}
	return filepath.Join(p.Directory, filepath.FromSlash(p.Prefix))
}

func (p Place) below(outer Place) (prefix string, ok bool) {
	one := p.sameBucket(outer)
	if one {
		if rest, ok := strings.CutPrefix(p.Prefix, outer.Prefix); ok {
			return rest, true
		}
	}
	dir, outerDir := p.directory(), outer.directory()
	if dir == "" || outerDir == "" {
		return "", false
	}
	// In one bucket two prefixes that differ in case are not the same, even if the
	// file system folds case.
	rel, ok := relative(dir, outerDir, !one)
	return asFolder(rel), ok
}

// KeyIn returns the key that an object of p has in another place, if it is known to lie there.
func (p Place) KeyIn(key string, other Place) (string, bool) {
	if prefix, ok := p.below(other); ok {
		return prefix + key, true
	}
	prefix, ok := other.below(p)
	rest, below := strings.CutPrefix(key, prefix)
	return rest, ok && below
}

func (p Place) apart(q Place) bool {
	if _, ok := p.below(q); ok {
		return false
	}
	if _, ok := q.below(p); ok {
		return false
	}
	dir, other := p.directory(), q.directory()
	local := dir != "" && other != ""
	switch {
	case p.sameBucket(q):
		return !local || mountsApart(dir, other) // folders of one bucket, of which neither contains the other
	case local:
		return p.Direct && q.Direct && oneFileSystem(dir, other) && mountsApart(dir, other)
	case p.Direct && q.Direct:
		return true
	}
	return equal.Values(p.Account, q.Account) && !p.Alias && !q.Alias
}
