package reading

import (
	"context"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// A VersionLine is a VersionEntry in JSON.
type VersionLine struct {
	EntryLine
	Version  string `json:"version"`
	Current  bool   `json:"current"`
	IsDelete bool   `json:"isDelete"`
}

// lsVersions lists the versions of one object or, if there are none, those of all objects in the
// folder of this name.
func lsVersions(
	ctx context.Context, p *program.Program, f *lsFlags, bucket storage.Bucket, l location.Location,
) error {
	if f.startAfter != "" {
		return argument.Invalid("--start-after must not be used with --versions", "")
	}
	isWild := l.HasWildcard && !f.literal
	if isWild || f.filter.Given() {
		return argument.Invalid("--versions must not be used with wildcards, or with flags that select files", "")
	}
	if err := program.NeedVersions(bucket); err != nil {
		return err
	}

	// Try the object first, and then the folder.
	folder := location.AsFolder(l.Key)
	for _, prefix := range []string{l.Key, folder} {
		isFolder := prefix == folder
		printed, err := printVersions(ctx, p, f, bucket, prefix, isFolder)
		if err != nil {
			return err
		}
		if printed > 0 {
			return nil
		}
	}

	// The listing found no versions, but objects such as a folder's marker exist.
	if program.HasAny(ctx, bucket, l.Key) {
		return program.ErrNoVersions
	}
	if l.Key != "" {
		return location.NothingUnder(l.Key)
	}
	return nil
}

// printVersions prints the versions of one object or, if isFolder is true, of all objects in a
// folder. It returns how many it has printed.
func printVersions(
	ctx context.Context, p *program.Program, f *lsFlags, bucket storage.Lister, prefix string, isFolder bool,
) (int, error) {
	printed := 0
	opts := append([]storage.ListOption{storage.WithPrefix(prefix)}, f.limit...)
	for v, err := range storage.Versions(ctx, bucket, opts...) {
		if err != nil {
			return printed, err
		}
		// In an ordered listing, all versions of the object come before any other key.
		if v.Key != prefix && !isFolder {
			break
		}
		if err := printVersion(p, f, v); err != nil {
			return printed, err
		}
		printed++
	}
	return printed, nil
}

// printVersion prints one version of a listing.
func printVersion(p *program.Program, f *lsFlags, v storage.VersionEntry) error {
	state := "old"
	if v.IsDeleteMarker {
		state = "removed"
	} else if v.Current {
		state = "current"
	}

	switch {
	case f.json:
		return p.Out.JSON(VersionLine{
			EntryLine: EntryLine{
				Key:      v.Key,
				Size:     v.Size,
				Modified: v.Modified,
				ETag:     v.ETag,
				Revision: v.Revision,
			},
			Version:  v.Version,
			Current:  v.Current,
			IsDelete: v.IsDeleteMarker,
		})
	case f.long:
		p.Out.Printf("%12d  %-20s  %-7s  %s  %s\n", v.Size, console.FormatTime(v.Modified), state,
			p.Out.Printable(v.Version), p.Out.Printable(v.Key))
	default:
		p.Out.Printf("%-7s  %s  %s\n", state, p.Out.Printable(v.Version), p.Out.Printable(v.Key))
	}
	return p.Out.Err
}
