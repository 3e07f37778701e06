package main

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/omnibucket/storage"
)

// A cpSource is a source of cp or mv.
type cpSource struct {
	at   location
	wild bool  // its wildcards are expanded
	err  error // of its argument; its own copy returns it
}

// locateSources parses the sources, each once.
func (p *program) locateSources(f *cpFlags, args []string) []cpSource {
	sources := make([]cpSource, len(args))
	for i, arg := range args {
		at, err := p.locate(arg)
		sources[i] = cpSource{at, err == nil && at.isWild() && !f.literal, err}
	}
	return sources
}

// checkNames refuses sources with one name: one would replace another at the destination, of which
// mv would leave nothing.
func checkNames(sources []cpSource) error {
	named := map[string]bool{}
	for _, source := range sources {
		if source.err != nil || source.wild {
			continue
		}
		name := ""
		switch src := source.at; {
		case src.kind == inBucket && !src.isFolder():
			name = path.Base(src.key)
		case src.kind == localPath && !endsAsFolder(src.path):
			name = filepath.Base(src.path)
		}
		if name != "" && named[name] {
			return invalid("sources must not have one name, "+printable(name)+": one would replace the other", "copy them one after the other, to different destinations")
		}
		named[name] = true
	}
	return nil
}

// checkContents refuses to move what is in several folders into one: of two files with one name,
// nothing could tell that both were there before, so that one would be lost. Names that are all
// relative to one folder are different.
func checkContents(sources []cpSource) error {
	folders, contents := map[string]bool{}, false
	for _, source := range sources {
		if source.err != nil {
			continue
		}
		src := source.at
		switch {
		case source.wild:
			src, _ = wildFolder(src)
			contents = true
		case treeName(src) == "":
			contents = true
		case src.kind == inBucket:
			src.key = strings.TrimSuffix(src.key, path.Base(src.key))
		case src.kind == localPath:
			src.path = filepath.Dir(src.path)
		}
		if src.kind == localPath {
			src.path = filepath.Clean(src.path)
		}
		folders[src.path+src.addressWithKey()] = true
	}
	if contents && len(folders) > 1 {
		return invalid("sources must be in one folder if one of them has wildcards or ends in \"/\": a file would replace another of its name", "move them one after the other, to different destinations")
	}
	return nil
}

// checkEnds refuses sources and destinations that cp does not support, and flags
// without effect.
func checkEnds(f *cpFlags, source cpSource, dst location) error {
	switch src := source.at; {
	case src.kind == account || dst.kind == account:
		return invalid("address must have a bucket", addressHint)
	case src.kind != inBucket && dst.kind != inBucket && (src.kind == stream || dst.kind == stream):
		return invalid("source or destination must be in a bucket", addressHint)
	case dst.kind != inBucket && !f.write.isEmpty():
		return invalid("flags for attributes and conditions need a destination in a bucket", "")
	case src.kind != inBucket && f.version != nil:
		return invalid("--version needs a source in a bucket", "")
	case f.noSync && dst.kind != localPath:
		return invalid("--no-sync needs a destination on this machine", "")
	case f.recursive && (src.kind == stream || dst.kind == stream):
		return invalid("-r must not be used with standard input or output", "")
	case source.wild && (f.write.conditional || f.version != nil):
		return invalid("--if-absent, --if-revision and --version must not be used with wildcards", "use --literal to take wildcards literally")
	case f.move && (src.kind == stream || dst.kind == stream):
		return invalid("source and destination must not be standard input or output", "")
	}
	return nil
}

// sourceName returns the base name of one file or object, or "" for standard input.
func sourceName(src location) (string, error) {
	switch src.kind {
	case stream:
		return "", nil
	case inBucket:
		if src.isFolder() {
			return "", invalid("source must not be a folder", "use -r to copy a tree")
		}
		return path.Base(src.key), nil
	}
	switch info, err := os.Stat(src.path); {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return "", &storage.Error{Code: storage.ObjectNotFound, Key: src.path, Err: err}
	case err == nil && info.IsDir():
		return "", invalid("source must not be a directory", "use -r to copy a tree")
	}
	return filepath.Base(src.path), nil
}
