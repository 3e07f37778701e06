package location

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
)

// Expand yields the objects and folders that match the wildcards of a location, and lists only folders
// that may contain matches. A pattern with a slash at its end matches only folders, and ** matches
// only objects.
func Expand(ctx context.Context, b storage.Lister, l Location) iter.Seq2[storage.ListEntry, error] {
	return func(yield func(storage.ListEntry, error) bool) {
		pattern := l.Glob()
		if !doublestar.ValidatePattern(pattern) {
			err := argument.Invalid("key must not have malformed wildcards", "use --literal to take them literally")
			yield(storage.ListEntry{}, err)
			return
		}

		e := expansion{ctx: ctx, bucket: b, yield: yield}
		e.walk("", strings.Split(pattern, "/"))
	}
}

// An expansion yields the matches of one pattern.
type expansion struct {
	ctx    context.Context
	bucket storage.Lister
	yield  func(storage.ListEntry, error) bool
}

// walk yields the entries below a folder that match the segments of a pattern. It returns false if it
// must not continue, after an error or because yield returned false.
func (e *expansion) walk(folder string, segments []string) bool {
	// Enter the folders without wildcards, which need no listing.
	for len(segments) > 1 && !isPattern(segments[0]) {
		text, _ := LiteralStart(segments[0])
		folder += text + "/"
		segments = segments[1:]
	}

	if segments[0] == "**" {
		return e.yieldAll(folder, strings.Join(segments, "/"))
	}

	start, _ := LiteralStart(segments[0]) // all names that match begin with it
	entries := e.bucket.List(e.ctx, storage.WithAnyOrder(), storage.WithPrefix(folder+start), storage.WithDelimiter("/"))
	for entry, err := range entries {
		if err != nil {
			e.yield(entry, err)
			return false
		}
		name := strings.TrimSuffix(strings.TrimPrefix(entry.Key, folder), "/")
		isMarker := !entry.IsPrefix && strings.HasSuffix(entry.Key, "/")
		if name == "" || isMarker || !doublestar.MatchUnvalidated(segments[0], name) {
			continue
		}

		if !e.visit(entry, segments[1:]) {
			return false
		}
	}
	return true
}

// visit yields an entry whose name matches a segment of the pattern, or what matches below it. rest has
// the segments that follow. It returns false if walk must not continue.
func (e *expansion) visit(entry storage.ListEntry, rest []string) bool {
	if len(rest) == 0 {
		return e.yield(entry, nil)
	}
	if !entry.IsPrefix {
		// Nothing is below an object.
		return true
	}

	// A pattern with a slash at its end matches only folders.
	endsInSlash := len(rest) == 1 && rest[0] == ""
	if endsInSlash {
		return e.yield(entry, nil)
	}
	return e.walk(entry.Key, rest)
}

// yieldAll yields the objects below a folder that match a pattern that begins with **, at any depth.
// It returns false if walk must not continue.
func (e *expansion) yieldAll(folder, pattern string) bool {
	for entry, err := range e.bucket.List(e.ctx, storage.WithAnyOrder(), storage.WithPrefix(folder)) {
		if err != nil {
			e.yield(entry, err)
			return false
		}

		name := strings.TrimPrefix(entry.Key, folder)
		// An object whose key ends in a slash stands for a folder.
		isMarker := name == "" || strings.HasSuffix(name, "/")
		if isMarker || !doublestar.MatchUnvalidated(pattern, name) {
			continue
		}

		if !e.yield(entry, nil) {
			return false
		}
	}
	return true
}

// NoMatch returns the error for wildcards that match nothing.
func NoMatch(l Location, what string) error {
	return &storage.Error{
		Code: storage.ObjectNotFound,
		Key:  l.Key,
		Err:  errors.New("no " + what + " matches the wildcards"),
		Hint: "check the key; to take wildcards literally, use --literal",
	}
}

// OnlyFolders returns the error for wildcards that match folders but no object.
func OnlyFolders(l Location, hint string) error {
	return &storage.Error{
		Code: storage.ObjectNotFound,
		Key:  l.Key,
		Err:  errors.New("no object matches the wildcards"),
		Hint: "folders match: " + hint,
	}
}

// NothingUnder returns the error for a key that names neither an object nor a folder.
func NothingUnder(key string) error {
	return &storage.Error{
		Code: storage.ObjectNotFound,
		Op:   "List",
		Key:  key,
		Hint: "check the key; there is no folder of this name either",
	}
}
