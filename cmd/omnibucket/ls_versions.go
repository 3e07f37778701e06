package main

import (
	"context"

	"github.com/omnibucket/storage"
)

// A versionLine is a VersionEntry in JSON.
type versionLine struct {
	entryLine
	Version  string `json:"version"`
	Current  bool   `json:"current"`
	IsDelete bool   `json:"isDelete"`
}

// lsVersions lists the versions of the object with this key or, if there are none, of
// all objects in the folder.
func (p *program) lsVersions(ctx context.Context, f *lsFlags, bucket storage.Lister, key string) error {
	found := false
	for _, prefix := range []string{key, asFolder(key)} {
		for v, err := range storage.Versions(ctx, bucket, append([]storage.ListOption{storage.WithPrefix(prefix)}, f.limit...)...) {
			if err != nil {
				return err
			}
			if v.Key != prefix && prefix != asFolder(key) {
				break // in the order of keys, those of the object are first
			}
			if err := p.printVersion(f, v); err != nil {
				return err
			}
			found = true
		}
		if found {
			return nil
		}
	}
	switch {
	case hasAny(ctx, bucket, key): // what a listing of versions leaves out has none
		return errNoVersions
	case key != "":
		return errNothingUnder(key)
	}
	return nil
}

func (p *program) printVersion(f *lsFlags, v storage.VersionEntry) error {
	state := "old"
	switch {
	case v.IsDeleteMarker:
		state = "removed"
	case v.Current:
		state = "current"
	}
	switch {
	case f.json:
		return p.json(versionLine{entryLine{v.Key, v.Size, v.Modified, v.ETag, v.Revision}, v.Version, v.Current, v.IsDeleteMarker})
	case f.long:
		p.printf("%12d  %-20s  %-7s  %s  %s\n", v.Size, formatTime(v.Modified), state, p.printable(v.Version), p.printable(v.Key))
	default:
		p.printf("%-7s  %s  %s\n", state, p.printable(v.Version), p.printable(v.Key))
	}
	return p.out.err
}
