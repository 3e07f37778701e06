package reading

import (
	"context"

	"github.com/omnibucket/storage"
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

// lsVersions lists the versions of the object with this key. If there are none, it lists the
// versions of all objects in the folder with this name.
func lsVersions(ctx context.Context, p *program.Program, f *lsFlags, bucket storage.Lister, key string) error {
	ok := false
	for _, prefix := range []string{key, location.AsFolder(key)} {
		for v, err := range storage.Versions(ctx, bucket, append([]storage.ListOption{storage.WithPrefix(prefix)}, f.limit...)...) {
			if err != nil {
				return err
			}
			if v.Key != prefix && prefix != location.AsFolder(key) {
				// This is another key. In an ordered listing, all versions of the object came before.
				break
			}
			if err := printVersion(p, f, v); err != nil {
				return err
			}
			ok = true
		}
		if ok {
			return nil
		}
	}

	// The listing found no versions, but objects such as a folder's marker exist.
	if program.HasAny(ctx, bucket, key) {
		return program.ErrNoVersions
	}
	if key != "" {
		return location.NothingUnder(key)
	}
	return nil
}

func printVersion(p *program.Program, f *lsFlags, v storage.VersionEntry) error {
	state := "old"
	if v.IsDeleteMarker {
		state = "removed"
	} else if v.Current {
		state = "current"
	}
	switch {
	case f.json:
		return p.Out.JSON(
			VersionLine{
				EntryLine{v.Key, v.Size, v.Modified, v.ETag, v.Revision}, v.Version, v.Current, v.IsDeleteMarker,
			},
		)
	case f.long:
		p.Out.Printf(
			"%12d  %-20s  %-7s  %s  %s\n", v.Size, console.FormatTime(v.Modified), state, p.Out.Printable(v.Version),
			p.Out.Printable(v.Key),
		)
	default:
		p.Out.Printf("%-7s  %s  %s\n", state, p.Out.Printable(v.Version), p.Out.Printable(v.Key))
	}
	return p.Out.Err
}
