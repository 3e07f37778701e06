package copying

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/console"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
)

// A cpSource is a source of cp or mv.
type cpSource struct {
	location    location.Location
	hasWildcard bool  // true if its wildcards are expanded
	err         error // error of parsing the argument; returned when this source is copied
}

// locateSources parses the sources of cp. A source that is invalid gets its error, so that the others are copied.
func locateSources(p *program.Program, f *cpFlags, args []string) []cpSource {
	sources := make([]cpSource, len(args))
	for i, arg := range args {
		l, err := p.Stores.Locate(arg)
		if err != nil {
			sources[i].err = err
			continue
		}
		sources[i].location = l
		sources[i].hasWildcard = l.IsWild() && !f.literal
	}
	return sources
}

// checkNames refuses two sources of the same base name, because the second would replace the first at the destination.
func checkNames(sources []cpSource) error {
	names := map[string]bool{}
	for _, source := range sources {
		if source.err != nil || source.hasWildcard {
			continue
		}
		name := treeName(source.location)
		if name == "" {
			// Only the content of the source is copied.
			continue
		}
		if names[name] {
			return argument.Invalid(
				"sources must not have one name, "+console.Printable(name)+": one would replace the other",
				"copy them one after the other, to different destinations",
			)
		}
		names[name] = true
	}
	return nil
}

// checkOneFolder refuses to move the contents of several folders into one, because a file could replace one of the
// same name from another folder, which mv would lose unnoticed.
func checkOneFolder(sources []cpSource) error {
	folderNames := map[string]bool{}
	movesContents := false // true if a source stands for several files of a folder
	for _, source := range sources {
		if source.err != nil {
			continue
		}
		folder, hasSeveral := folderOf(source)
		if hasSeveral {
			movesContents = true
		}
		// A local folder has a path, and a folder in a bucket an address.
		name := folder.Path + folder.AddressWithKey()
		folderNames[name] = true
	}

	if movesContents && len(folderNames) > 1 {
		return argument.Invalid(
			"sources must be in one folder if one of them has wildcards or ends in \"/\": "+
				"a file would replace another of its name",
			"move them one after the other, to different destinations",
		)
	}
	return nil
}

// folderOf returns the folder that contains a source. hasSeveral is true if the source is not one file or tree in that
// folder, but the content of the folder or what matches wildcards there.
func folderOf(source cpSource) (folder location.Location, hasSeveral bool) {
	folder = source.location
	switch {
	case source.hasWildcard:
		folder, _ = location.WildFolder(folder)
		hasSeveral = true
	case treeName(folder) == "":
		// The source ends in a slash, so it means the content of the folder.
		hasSeveral = true
	case folder.Kind == location.InBucket:
		folder.Key = strings.TrimSuffix(folder.Key, path.Base(folder.Key))
	case folder.Kind == location.LocalPath:
		folder.Path = filepath.Dir(folder.Path)
	}
	if folder.Kind == location.LocalPath {
		folder.Path = filepath.Clean(folder.Path)
	}
	return folder, hasSeveral
}

// checkEnds refuses a source or destination that cp does not support, and flags that would have no effect on them.
func checkEnds(f *cpFlags, source cpSource, dst location.Location) error {
	src := source.location
	if src.Kind == location.Account || dst.Kind == location.Account {
		return argument.Invalid("location must have a bucket", location.AddressHint)
	}
	hasBucket := src.Kind == location.InBucket || dst.Kind == location.InBucket
	hasStream := src.Kind == location.Stream || dst.Kind == location.Stream
	if hasStream && !hasBucket {
		return argument.Invalid("source or destination must be in a bucket", location.AddressHint)
	}

	// Refuse flags that have no effect at these ends.
	if dst.Kind != location.InBucket && !f.write.IsEmpty() {
		return argument.Invalid("flags for attributes and conditions need a destination in a bucket", "")
	}
	if src.Kind != location.InBucket && f.version != nil {
		return argument.Invalid("--version needs a source in a bucket", "")
	}
	if f.noSync && dst.Kind != location.LocalPath {
		return argument.Invalid("--no-sync needs a destination on this machine", "")
	}

	// Refuse sources and destinations that these flags cannot have.
	if f.recursive && hasStream {
		return argument.Invalid("-r must not be used with standard input or output", "")
	}
	needsOneObject := f.write.Conditional || f.version != nil
	if source.hasWildcard && needsOneObject {
		return argument.Invalid(
			"--if-absent, --if-revision and --version must not be used with wildcards",
			"use --literal to take wildcards literally",
		)
	}
	if f.move && hasStream {
		return argument.Invalid("source and destination must not be standard input or output", "")
	}
	return nil
}

// sourceName returns the base name of a source that is one file or object, or "" for standard input.
func (f *cpFlags) sourceName(src location.Location) (string, error) {
	switch src.Kind {
	case location.Stream:
		return "", nil
	case location.InBucket:
		if src.IsFolder() {
			return "", argument.Invalid("source must not be a folder", f.treeHint())
		}
		return path.Base(src.Key), nil
	}

	info, err := os.Stat(src.Path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return "", argument.OfPath(src.Path, err)
	}
	if err == nil && info.IsDir() {
		return "", argument.Invalid("source must not be a directory", f.treeHint())
	}
	// Opening the file reports any other error.
	return filepath.Base(src.Path), nil
}

// treeHint returns the hint for a source that is a tree.
func (f *cpFlags) treeHint() string {
	if f.move {
		return "use -r to move a tree"
	}
	return "use -r to copy a tree"
}

// addFolderHint adds a hint to an ObjectNotFound error if src is a folder and not an object. It returns any other error
// unchanged.
func (f *cpFlags) addFolderHint(ctx context.Context, p *program.Program, src location.Location, err error) error {
	storageErr, ok := errors.AsType[*storage.Error](err)
	if !ok || storageErr.Code != storage.ObjectNotFound || storageErr.Hint != "" {
		return err
	}
	if src.Kind != location.InBucket {
		return err
	}

	bucket, openErr := p.Stores.Open(ctx, src)
	if openErr != nil || !program.HasAny(ctx, bucket, location.AsFolder(src.Key)) {
		return err
	}

	withHint := *storageErr
	withHint.Hint = f.treeHint() + ": a folder has this name"
	return &withHint
}
