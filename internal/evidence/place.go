package evidence

import (
	"path/filepath"
	"slices"
	"strings"
)

// A Place says where objects are stored. Two places are the same if both their accounts and their
// buckets are equal, or if their directories are the same.
type Place struct {
	// Account identifies the account, as a comparable value. Two Places have equal Accounts if one
	// credential is valid for both. Nil means that the account is unknown.
	Account any
	Bucket  string
	Prefix  string // "", or a text that ends in a slash
	// Directory is the local directory that contains the objects of this place, or "" if there is
	// none.
	Directory string
	// Direct is true if no server is between the driver and the objects. Two direct Places in
	// different accounts certainly differ. This is not certain if both are directories on different
	// file systems, because a network file system may show the files of a local one.
	Direct bool
	// Alias is true if the bucket may have a second name, such as an access point.
	Alias bool
}

// An opaque is an Account whose holder can compare it, but cannot reach what it was made of. That can
// be a driver or a storage.Core, by which the whole bucket can be read.
type opaque struct{ account any }

// Opaque returns the places with Accounts that can only be compared. Such an Account compares equal
// to the Account that it was made of.
func Opaque(places []Place) []Place {
	hidden := slices.Clone(places)
	for i := range hidden {
		account := &hidden[i].Account
		if _, isOpaque := (*account).(opaque); *account != nil && !isOpaque {
			*account = opaque{*account}
		}
	}
	return hidden
}

func (p Place) isInAccountOf(q Place) bool {
	return EqualValues(unwrapOpaque(p.Account), unwrapOpaque(q.Account))
}

// unwrapOpaque returns the account that Opaque has hidden, and any other account unchanged.
func unwrapOpaque(account any) any {
	if o, ok := account.(opaque); ok {
		return o.account
	}
	return account
}

// In returns the places of the folder prefix of a bucket with these places.
func In(places []Place, prefix string) []Place {
	if prefix == "" {
		return places
	}
	folders := slices.Clone(places)
	for i := range folders {
		folders[i].Prefix += prefix
	}
	return folders
}

// Below reports whether a Place in the list inner is known to be inside a Place in the list outer.
// prefix is the path from the outer Place to the inner one, which is "" or ends in a slash.
func Below(inner, outer []Place) (prefix string, ok bool) {
	for _, innerPlace := range inner {
		for _, outerPlace := range outer {
			if prefix, ok := innerPlace.below(outerPlace); ok {
				return prefix, true
			}
		}
	}
	return "", false
}

// Same reports whether each place of a is known to be a place of b, and each place of b a place of
// a.
func Same(a, b []Place) bool {
	return len(a) > 0 && len(b) > 0 && eachIn(a, b) && eachIn(b, a)
}

// eachIn reports whether each place of a is known to be the same as a place of b.
func eachIn(a, b []Place) bool {
	for _, p := range a {
		prefix, ok := Below([]Place{p}, b)
		isSame := ok && prefix == "" // p is not only a folder of such a place
		if !isSame {
			return false
		}
	}
	return true
}

// Apart reports whether a and b certainly have no object in common, whatever addresses they have.
// If a place is unknown or a list is empty, it returns false.
func Apart(a, b []Place) bool {
	for _, aPlace := range a {
		for _, bPlace := range b {
			if !aPlace.isApartFrom(bPlace) {
				return false
			}
		}
	}
	return len(a) > 0 && len(b) > 0
}

// Beside reports whether a and b are known to be two folders of the same bucket, neither of which
// contains the other.
func Beside(a, b []Place) bool {
	return len(a) == 1 && len(b) == 1 && a[0].isInBucketOf(b[0]) && a[0].isApartFrom(b[0])
}

func (p Place) isInBucketOf(q Place) bool {
	return p.isInAccountOf(q) && p.Bucket == q.Bucket
}

// directory returns the directory of this machine that contains the objects of the place, or "".
func (p Place) directory() string {
	if p.Directory == "" || p.Prefix == "" {
		return p.Directory
	}
	return filepath.Join(p.Directory, filepath.FromSlash(p.Prefix))
}

// below reports whether p is known to be inside outer, or the same place. prefix is the path from
// outer to p, which is "" or ends in a slash.
func (p Place) below(outer Place) (prefix string, ok bool) {
	isSameBucket := p.isInBucketOf(outer)
	rest, hasPrefix := strings.CutPrefix(p.Prefix, outer.Prefix)
	if isSameBucket && hasPrefix {
		return rest, true
	}

	// One directory may still be inside the other, by its path in another bucket, a link or a mount.
	dir := p.directory()
	outerDir := outer.directory()
	if dir == "" || outerDir == "" {
		return "", false
	}

	// The file system may lead two names to one directory, because it ignores case, for example. Two
	// prefixes of one bucket are two places even then, so files are compared only for two buckets.
	compareFiles := !isSameBucket
	rel, ok := relative(dir, outerDir, compareFiles)
	return asFolder(rel), ok
}

// KeyIn converts a key in p to the key of the same object in other, and returns false if the object
// is not known to be there.
func (p Place) KeyIn(key string, other Place) (string, bool) {
	if prefix, ok := p.below(other); ok {
		return prefix + key, true
	}
	prefix, ok := other.below(p)
	rest, hasPrefix := strings.CutPrefix(key, prefix)
	return rest, ok && hasPrefix
}

// isApartFrom reports whether p and q certainly have no object in common.
func (p Place) isApartFrom(q Place) bool {
	// One place may be inside the other.
	if _, ok := p.below(q); ok {
		return false
	}
	if _, ok := q.below(p); ok {
		return false
	}

	if p.directory() != "" && q.directory() != "" {
		return p.isDirectoryApartFrom(q)
	}
	if p.isInBucketOf(q) {
		// Neither folder contains the other.
		return true
	}
	if p.Direct && q.Direct {
		// No server is in between, which could show one place under two names.
		return true
	}
	// Within one account, two names are two buckets, unless one of them is a second name.
	return p.isInAccountOf(q) && !p.Alias && !q.Alias
}

// isDirectoryApartFrom is isApartFrom for two local directories. Neither contains the other by its path.
func (p Place) isDirectoryApartFrom(q Place) bool {
	dir := p.directory()
	otherDir := q.directory()
	if !p.isInBucketOf(q) {
		// Two buckets may be on two file systems. One of these may be a network file system that shows the
		// files of the other.
		isOneFileSystem := p.Direct && q.Direct && areOnOneFileSystem(dir, otherDir)
		if !isOneFileSystem {
			return false
		}
	}
	// A mount may show the same file in both directories.
	return areMountsApart(dir, otherDir)
}
